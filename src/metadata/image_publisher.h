#pragma once

#include "base/executor.h"
#include "base/mutex.h"
#include "metadata/cluster_image.h"
#include "metadata/metadata_store.h"

#include <functional>
#include <memory>

namespace talosmq::metadata {

/// Follows the metadata store and publishes a new ClusterImage for each change.
/// Thread-safe readers; listeners run on the publisher's executor, in order, none skipped.
class ImagePublisher {
 public:
  virtual ~ImagePublisher() = default;

  using Listener = std::function<void(const std::shared_ptr<const ClusterImage>& before,
                                      const std::shared_ptr<const ClusterImage>& after)>;

  /// Reads the whole store, publishes the first image, then watches. Calls `ready` on `executor`.
  static std::unique_ptr<ImagePublisher> Start(MetadataStore& store, base::Executor& executor,
                                               base::Callback<absl::Status> ready);

  /// The newest image; never null once ready has run with OK.
  virtual std::shared_ptr<const ClusterImage> current() const = 0;
  /// Called with (empty image, current one) first, then for each change.
  virtual void AddListener(Listener listener) = 0;
  /// Runs `done` on the executor once an image of at least `revision` is published.
  virtual void WhenReached(Revision revision, base::Task done) = 0;
  virtual void Stop() = 0;
};

}  // namespace talosmq::metadata
