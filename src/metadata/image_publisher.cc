#include "metadata/image_publisher.h"

#include "base/log.h"
#include "metadata/image_builder.h"

#include <map>
#include <utility>
#include <vector>

namespace talosmq::metadata {
namespace {

using ImagePointer = std::shared_ptr<const ClusterImage>;

/// Everything but current() is confined to the executor. Kept alive by the callbacks it waits for,
/// which do nothing any more once it is stopped.
class Follower : public std::enable_shared_from_this<Follower> {
 public:
  Follower(MetadataStore& store, base::Executor& executor, base::Callback<absl::Status> ready)
      : store_(store), executor_(executor), ready_(std::move(ready)) {}

  ImagePointer current() const {
    const base::MutexLock lock(mutex_);
    return current_;
  }

  /// Lists everything, then watches from there on.
  void Begin() {
    listed_.clear();
    listed_at_ = Revision::kNone;
    ListPage("");
  }

  void Stop() {
    stopped_ = true;
    store_.Unwatch(watch_);
    waiters_.clear();
    listeners_.clear();
  }

  void AddListener(ImagePublisher::Listener listener) {
    if (stopped_) return;
    const ImagePointer image = current();
    if (image != nullptr) listener(std::make_shared<const ClusterImage>(), image);
    listeners_.push_back(std::move(listener));
  }

  void WhenReached(Revision revision, base::Task done) {
    if (stopped_) return;
    const ImagePointer image = current();
    if (image != nullptr && image->revision >= revision) return done();
    waiters_.emplace(revision, std::move(done));
  }

 private:
  void ListPage(std::string from) {
    store_.List("", std::move(from), executor_,
                [self = shared_from_this()](absl::StatusOr<ListResult> page) {
                  if (!self->stopped_) self->OnPage(std::move(page));
                });
  }

  void OnPage(absl::StatusOr<ListResult> page) {
    if (!page.ok()) return OnListFailure(page.status());
    if (listed_.empty()) listed_at_ = page->revision;
    // Pages of different revisions do not make one picture.
    if (page->revision != listed_at_) return Begin();
    for (KeyValue& entry : page->entries) listed_.push_back(std::move(entry));
    if (!page->is_complete) return ListPage(listed_.back().key + '\0');
    OnListed();
  }

  void OnListFailure(const absl::Status& status) {
    if (ready_) return std::exchange(ready_, nullptr)(status);
    constexpr absl::Duration kRetry = absl::Milliseconds(500);
    base::LogWarning("metadata", "listing failed, trying again: ", status.ToString());
    executor_.PostAfter(kRetry, [self = shared_from_this()] {
      if (!self->stopped_) self->Begin();
    });
  }

  void OnListed() {
    builder_ = ImageBuilder();
    for (KeyValue& entry : listed_) {
      std::string key = entry.key;
      builder_.Apply({.key = std::move(key), .entry = std::move(entry)});
    }
    listed_.clear();
    revision_ = listed_at_;
    const absl::Status published = Publish();
    if (ready_ && !published.ok()) return std::exchange(ready_, nullptr)(published);
    watch_ = store_.Watch("", revision_, executor_,
                          [self = shared_from_this()](const absl::StatusOr<WatchEvent>& event) {
                            if (!self->stopped_) self->OnEvent(event);
                          });
    if (ready_) std::exchange(ready_, nullptr)(absl::OkStatus());
  }

  void OnEvent(const absl::StatusOr<WatchEvent>& event) {
    if (!event.ok()) {
      base::LogWarning("metadata", "the watch ended, listing anew: ", event.status().ToString());
      return Begin();
    }
    for (const WatchEvent::Change& change : event->changes) builder_.Apply(change);
    revision_ = event->revision;
    if (is_publish_posted_) return;
    // Behind the events that wait already: a burst of changes becomes one image.
    is_publish_posted_ = true;
    executor_.Post([self = shared_from_this()] {
      self->is_publish_posted_ = false;
      if (!self->stopped_) static_cast<void>(self->Publish());
    });
  }

  /// A damaged value leaves the last image standing: nobody may take damage for a deletion (G10).
  absl::Status Publish() {
    absl::StatusOr<ImagePointer> image = builder_.Build(revision_);
    if (!image.ok()) {
      base::LogError("metadata", "no new image: ", image.status().ToString());
      return image.status();
    }
    ImagePointer before;
    {
      const base::MutexLock lock(mutex_);
      before = std::exchange(current_, *image);
    }
    if (before == nullptr) before = std::make_shared<const ClusterImage>();
    const std::vector<ImagePublisher::Listener> listeners = listeners_;
    for (const ImagePublisher::Listener& listener : listeners) listener(before, *image);
    while (!waiters_.empty() && waiters_.begin()->first <= revision_) {
      base::Task done = std::move(waiters_.begin()->second);
      waiters_.erase(waiters_.begin());
      done();
    }
    return absl::OkStatus();
  }

  MetadataStore& store_;
  base::Executor& executor_;
  base::Callback<absl::Status> ready_;  ///< Empty once it has run.
  bool stopped_ = false;
  bool is_publish_posted_ = false;
  WatchId watch_{};
  Revision revision_ = Revision::kNone;  ///< Of what the builder has taken in.
  ImageBuilder builder_;
  std::vector<KeyValue> listed_;
  Revision listed_at_ = Revision::kNone;
  std::vector<ImagePublisher::Listener> listeners_;
  std::multimap<Revision, base::Task> waiters_;

  mutable base::Mutex mutex_;
  ImagePointer current_ ABSL_GUARDED_BY(mutex_);
};

class FollowingPublisher final : public ImagePublisher {
 public:
  FollowingPublisher(base::Executor& executor, std::shared_ptr<Follower> follower)
      : executor_(executor), follower_(std::move(follower)) {}

  ImagePointer current() const override { return follower_->current(); }
  void AddListener(Listener listener) override {
    executor_.Post([follower = follower_, listener = std::move(listener)]() mutable {
      follower->AddListener(std::move(listener));
    });
  }
  void WhenReached(Revision revision, base::Task done) override {
    executor_.Post([follower = follower_, revision, done = std::move(done)]() mutable {
      follower->WhenReached(revision, std::move(done));
    });
  }
  void Stop() override {
    executor_.Post([follower = follower_] { follower->Stop(); });
  }

 private:
  base::Executor& executor_;
  const std::shared_ptr<Follower> follower_;
};

}  // namespace

std::unique_ptr<ImagePublisher> ImagePublisher::Start(MetadataStore& store,
                                                      base::Executor& executor,
                                                      base::Callback<absl::Status> ready) {
  auto follower = std::make_shared<Follower>(store, executor, std::move(ready));
  executor.Post([follower] { follower->Begin(); });
  return std::make_unique<FollowingPublisher>(executor, std::move(follower));
}

}  // namespace talosmq::metadata
