#include "support/fated_metadata_store.h"

#include "base/status.h"

namespace talosmq::support {
namespace {

absl::Status Unavailable() {
  return MakeError(Reason::kMetadataUnavailable, "metadata store: the test has made it fail");
}

}  // namespace

template <typename Result>
void FatedMetadataStore::Meet(
    base::Executor& on, base::Callback<absl::StatusOr<Result>> done,
    const std::function<void(base::Callback<absl::StatusOr<Result>>)>& call) {
  switch (chooser_ ? chooser_() : StoreFate::kAnswer) {
    case StoreFate::kAnswer:
      return call(std::move(done));
    case StoreFate::kRefuse:
      return on.Post([done = std::move(done)]() mutable { done(Unavailable()); });
    case StoreFate::kLoseAnswer:
      return call(
          [done = std::move(done)](const absl::StatusOr<Result>&) mutable { done(Unavailable()); });
    case StoreFate::kVanish:
      return;
    case StoreFate::kOrphan:
      return call([](const absl::StatusOr<Result>&) {});
  }
}

void FatedMetadataStore::Get(
    std::string key, base::Executor& on,
    base::Callback<absl::StatusOr<std::optional<metadata::KeyValue>>> done) {
  Meet<std::optional<metadata::KeyValue>>(
      on, std::move(done), [&](auto answer) { inner_.Get(std::move(key), on, std::move(answer)); });
}

void FatedMetadataStore::List(std::string prefix, std::string from, base::Executor& on,
                              base::Callback<absl::StatusOr<metadata::ListResult>> done) {
  Meet<metadata::ListResult>(on, std::move(done), [&](auto answer) {
    inner_.List(std::move(prefix), std::move(from), on, std::move(answer));
  });
}

void FatedMetadataStore::Commit(metadata::Transaction transaction, base::Executor& on,
                                base::Callback<absl::StatusOr<metadata::CommitResult>> done) {
  Meet<metadata::CommitResult>(on, std::move(done), [&](auto answer) {
    inner_.Commit(std::move(transaction), on, std::move(answer));
  });
}

}  // namespace talosmq::support
