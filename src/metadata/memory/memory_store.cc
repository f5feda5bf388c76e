#include "metadata/memory/memory_store.h"

#include "metadata/store_engine.h"
#include "metadata/store_state.h"
#include "talosmq/error.h"

namespace talosmq::metadata {
namespace {

/// Memory is the state: there is nothing to write. Thread-safe: it has no state of its own.
class NoWriter final : public StateWriter {
 public:
  absl::Status Write(const StoreChanges& /*changes*/) override { return absl::OkStatus(); }
  absl::StatusOr<StoreState> Reload() override {
    return MakeError(Reason::kInternal, "a write to memory does not fail");
  }
};

}  // namespace

std::unique_ptr<MetadataStore> MakeMemoryStore(MemoryStoreOptions options,
                                               base::Executor& executor) {
  return std::make_unique<StoreEngine>(
      WatchHistory::Options{.events_max = options.history_events_max,
                            .bytes_max = options.history_bytes_max},
      StoreState{}, std::make_unique<NoWriter>(), executor);
}

}  // namespace talosmq::metadata
