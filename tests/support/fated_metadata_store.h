#pragma once

#include "metadata/metadata_store.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace talosmq::support {

/// What becomes of one call on the store.
enum class StoreFate {
  kAnswer,
  kRefuse,      ///< kMetadataUnavailable, nothing happened.
  kLoseAnswer,  ///< kMetadataUnavailable, but it took effect.
  kVanish,      ///< No effect and no answer: the caller has died before it.
  kOrphan,      ///< Effect and no answer: the caller has died after it.
};

/// A metadata store each of whose reads and commits meets the fate that the test chooses then.
/// Watches and leases go straight through. Thread-compatible; `inner` outlives it.
class FatedMetadataStore final : public metadata::MetadataStore {
 public:
  using Chooser = std::function<StoreFate()>;

  explicit FatedMetadataStore(metadata::MetadataStore& inner) : inner_(inner) {}

  /// Asked once for each Get, List and Commit. Nothing: all are answered.
  void SetChooser(Chooser chooser) { chooser_ = std::move(chooser); }

  absl::Status health() const override { return inner_.health(); }
  void Get(std::string key, base::Executor& on,
           base::Callback<absl::StatusOr<std::optional<metadata::KeyValue>>> done) override;
  void List(std::string prefix, std::string from, base::Executor& on,
            base::Callback<absl::StatusOr<metadata::ListResult>> done) override;
  void Commit(metadata::Transaction transaction, base::Executor& on,
              base::Callback<absl::StatusOr<metadata::CommitResult>> done) override;
  metadata::WatchId Watch(
      std::string prefix, metadata::Revision after, base::Executor& on,
      base::Callback<const absl::StatusOr<metadata::WatchEvent>&> on_event) override {
    return inner_.Watch(std::move(prefix), after, on, std::move(on_event));
  }
  void Unwatch(metadata::WatchId watch) override { inner_.Unwatch(watch); }
  void GrantLease(absl::Duration time_to_live, base::Executor& on,
                  base::Callback<absl::StatusOr<metadata::LeaseId>> done) override {
    inner_.GrantLease(time_to_live, on, std::move(done));
  }
  void KeepAlive(metadata::LeaseId lease, base::Executor& on,
                 base::Callback<absl::Status> done) override {
    inner_.KeepAlive(lease, on, std::move(done));
  }
  void RevokeLease(metadata::LeaseId lease, base::Executor& on,
                   base::Callback<absl::Status> done) override {
    inner_.RevokeLease(lease, on, std::move(done));
  }

 private:
  /// Makes `call` with what the chosen fate leaves of `done`, or does not make it.
  template <typename Result>
  void Meet(base::Executor& on, base::Callback<absl::StatusOr<Result>> done,
            const std::function<void(base::Callback<absl::StatusOr<Result>>)>& call);

  metadata::MetadataStore& inner_;
  Chooser chooser_;
};

}  // namespace talosmq::support
