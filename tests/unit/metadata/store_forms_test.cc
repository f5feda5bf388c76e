#include "kv/store.h"
#include "metadata/embedded/embedded_store.h"
#include "metadata/memory/memory_store.h"
#include "support/manual_executor.h"

#include "unit/metadata/store_contract.h"

namespace talosmq::metadata {
namespace {

constexpr size_t kHistoryEvents = 500;

/// A form that lives in this process, on executors and a clock that the test turns by hand.
class LocalForm : public StoreForm {
 public:
  MetadataStore& store() override { return *store_; }
  base::Executor& executor() override { return callers_; }

  void RunUntil(const std::function<bool()>& done) override {
    support::RunAllUntilIdle({&executor_, &callers_});
    EXPECT_TRUE(done()) << "nothing is left to run";
  }

  void PassTime(absl::Duration time) override {
    clock_.Advance(time);
    support::RunAllUntilIdle({&executor_, &callers_});
  }

  void ForgetHistory() override {
    for (size_t i = 0; i <= kHistoryEvents; ++i) {
      store_->Commit({.compares = {}, .operations = {{.key = "filler", .value = "x"}}}, callers_,
                     [](const absl::StatusOr<CommitResult>&) {});
    }
    support::RunAllUntilIdle({&executor_, &callers_});
  }

 protected:
  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  support::ManualExecutor callers_{clock_};
  std::unique_ptr<MetadataStore> store_;
};

class MemoryForm final : public LocalForm {
 public:
  MemoryForm() { store_ = MakeMemoryStore({.history_events_max = kHistoryEvents}, executor_); }
};

class EmbeddedForm final : public LocalForm {
 public:
  EmbeddedForm() {
    store_ = OpenEmbeddedStore({.history_events_max = kHistoryEvents}, *kv_, executor_).value();
  }
  ~EmbeddedForm() override { store_.reset(); }

 private:
  std::unique_ptr<kv::MemoryStore> kv_ = kv::MakeMemoryStore();
};

INSTANTIATE_TEST_SUITE_P(
    Forms, MetadataStoreContractTest,
    testing::Values(StoreFormFactory{"Memory", [] { return std::make_unique<MemoryForm>(); }},
                    StoreFormFactory{"Embedded", [] { return std::make_unique<EmbeddedForm>(); }}),
    [](const auto& form) { return form.param.name; });

}  // namespace
}  // namespace talosmq::metadata
