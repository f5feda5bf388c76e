#include "controller/store_steps.h"

#include "base/text.h"
#include "metadata/keys.h"
#include "talosmq/error.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace talosmq::controller {

using metadata::CommitResult;
using metadata::KeyValue;
using metadata::ListResult;
using metadata::Operation;

namespace {

/// The first operations of `rest` that one transaction takes, moved out of it.
std::vector<Operation> TakeTransaction(std::vector<Operation>& rest) {
  constexpr size_t kRoomForGuard = 1024;
  size_t bytes = kRoomForGuard;
  size_t count = 0;
  while (count < rest.size() && count < metadata::kTransactionPartsMax) {
    bytes += rest[count].key.size() + rest[count].value.value_or("").size();
    if (count > 0 && bytes > metadata::kTransactionBytesMax) break;
    ++count;
  }
  const auto end = rest.begin() + static_cast<std::ptrdiff_t>(count);
  std::vector<Operation> taken(std::make_move_iterator(rest.begin()), std::make_move_iterator(end));
  rest.erase(rest.begin(), end);
  return taken;
}

/// A listing that goes on from page to page.
struct Listing : std::enable_shared_from_this<Listing> {
  metadata::MetadataStore& store;
  base::Executor& executor;
  std::string prefix;
  base::Callback<absl::StatusOr<std::vector<KeyValue>>> done;
  std::vector<KeyValue> entries = {};

  Listing(StoreSteps steps, std::string listed,
          base::Callback<absl::StatusOr<std::vector<KeyValue>>> callback)
      : store(steps.store()),
        executor(steps.executor()),
        prefix(std::move(listed)),
        done(std::move(callback)) {}

  void Next() {
    // The key right after the last one seen.
    std::string from = entries.empty() ? "" : entries.back().key + '\0';
    store.List(prefix, std::move(from), executor,
               [self = shared_from_this()](absl::StatusOr<ListResult> page) {
                 if (!page.ok()) return self->done(page.status());
                 std::move(page->entries.begin(), page->entries.end(),
                           std::back_inserter(self->entries));
                 if (!page->is_complete) return self->Next();
                 self->done(std::move(self->entries));
               });
  }
};

}  // namespace

void StoreSteps::FindTopic(std::string name,
                           base::Callback<absl::StatusOr<StoredTopic>> done) const {
  FindTopicBut(metadata::Revision::kNone, std::move(name), std::move(done));
}

void StoreSteps::FindTopicBut(metadata::Revision missed, std::string name,
                              base::Callback<absl::StatusOr<StoredTopic>> done) const {
  std::string name_key = metadata::TopicNameKey(name);
  auto on_name = [steps = *this, missed, name = std::move(name), done = std::move(done)](
                     const absl::StatusOr<std::optional<KeyValue>>& key) mutable {
    if (!key.ok()) return done(key.status());
    if (!key->has_value()) {
      return done(
          MakeError(Reason::kUnknownTopic, base::StrCat("no topic is called '", name, "'")));
    }
    const auto named = metadata::Decode<metadata::TopicNameRecord>(**key);
    if (!named.ok()) return done(named.status());
    auto on_topic =
        [steps, missed, name, id = named->id, name_revision = (*key)->mod_revision,
         done = std::move(done)](const absl::StatusOr<std::optional<KeyValue>>& topic) mutable {
          if (!topic.ok()) return done(topic.status());
          if (!topic->has_value() && name_revision != missed) {
            return steps.FindTopicBut(name_revision, std::move(name), std::move(done));
          }
          if (!topic->has_value()) {
            return done(
                MakeError(Reason::kInternal, base::StrCat("metadata: a name refers to topic id ",
                                                          id.ToString(), ", which is missing")));
          }
          auto record = metadata::Decode<metadata::TopicRecord>(**topic);
          if (!record.ok()) return done(record.status());
          done(StoredTopic{.id = id,
                           .record = *std::move(record),
                           .revision = (*topic)->mod_revision,
                           .name_revision = name_revision});
        };
    steps.store_->Get(metadata::TopicKey(named->id), *steps.executor_, std::move(on_topic));
  };
  store_->Get(std::move(name_key), *executor_, std::move(on_name));
}

void StoreSteps::ListAll(std::string prefix,
                         base::Callback<absl::StatusOr<std::vector<KeyValue>>> done) const {
  std::make_shared<Listing>(*this, std::move(prefix), std::move(done))->Next();
}

void StoreSteps::CommitAll(metadata::Compare guard, std::vector<Operation> operations,
                           base::Callback<absl::Status> done) const {
  if (operations.empty()) return done(absl::OkStatus());
  std::vector<Operation> now = TakeTransaction(operations);
  metadata::Transaction transaction{.compares = {guard}, .operations = std::move(now)};
  store_->Commit(std::move(transaction), *executor_,
                 [steps = *this, guard, rest = std::move(operations),
                  done = std::move(done)](const absl::StatusOr<CommitResult>& result) mutable {
                   if (!result.ok()) return done(result.status());
                   if (!result->succeeded) {
                     return done(MakeError(
                         Reason::kConflict,
                         base::StrCat("metadata: ", guard.key, " was changed by somebody else")));
                   }
                   steps.CommitAll(std::move(guard), std::move(rest), std::move(done));
                 });
}

void StoreSteps::DeleteAll(std::string prefix, base::Callback<absl::Status> done) const {
  store_->List(
      prefix, "", *executor_,
      [steps = *this, prefix, done = std::move(done)](absl::StatusOr<ListResult> page) mutable {
        if (!page.ok()) return done(page.status());
        if (page->entries.empty()) return done(absl::OkStatus());
        metadata::Transaction transaction;
        const size_t count = std::min(page->entries.size(), metadata::kTransactionPartsMax);
        for (size_t i = 0; i < count; ++i) {
          transaction.operations.push_back({.key = page->entries[i].key});
        }
        steps.store_->Commit(std::move(transaction), *steps.executor_,
                             [steps, prefix = std::move(prefix), done = std::move(done)](
                                 const absl::StatusOr<CommitResult>& result) mutable {
                               if (!result.ok()) return done(result.status());
                               steps.DeleteAll(std::move(prefix), std::move(done));
                             });
      });
}

void StoreSteps::CommitResolved(metadata::Transaction transaction,
                                base::Callback<absl::StatusOr<CommitResult>> done) const {
  const Operation proof = transaction.operations.front();
  store_->Commit(
      std::move(transaction), *executor_,
      [steps = *this, proof, done = std::move(done)](absl::StatusOr<CommitResult> result) mutable {
        if (ReasonOf(result.status()) != Reason::kMetadataUnavailable) {
          return done(std::move(result));
        }
        steps.store_->Get(
            proof.key, *steps.executor_,
            [proof, failure = result.status(),
             done = std::move(done)](const absl::StatusOr<std::optional<KeyValue>>& found) mutable {
              if (!found.ok()) return done(failure);
              const bool is_stored = found->has_value() && (*found)->value == proof.value;
              if (!is_stored) return done(failure);
              done(CommitResult{.succeeded = true, .revision = (*found)->mod_revision});
            });
      });
}

}  // namespace talosmq::controller
