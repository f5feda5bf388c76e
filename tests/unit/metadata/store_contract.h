#pragma once

#include "metadata/metadata_store.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::metadata {

/// One form of the store under the contract test, with nothing in it yet. A form may be a server
/// far away: tests wait by RunUntil only, compare revisions with each other only, and leave time
/// enough between what must and what must not have happened.
class StoreForm {
 public:
  virtual ~StoreForm() = default;
  virtual MetadataStore& store() = 0;
  /// Where callbacks run: on the test's thread, inside RunUntil and PassTime.
  virtual base::Executor& executor() = 0;
  /// Fails the test when `done` stays false for too long.
  virtual void RunUntil(const std::function<bool()>& done) = 0;
  virtual void PassTime(absl::Duration time) = 0;
  /// Makes the history up to now unreachable for new watches.
  virtual void ForgetHistory() = 0;
};

struct StoreFormFactory {
  std::string name;
  std::function<std::unique_ptr<StoreForm>()> make;
};

inline void PrintTo(const StoreFormFactory& form, std::ostream* out) { *out << form.name; }

/// The language of the contract's tests: calls that wait for their answer.
class MetadataStoreContractTest : public ::testing::TestWithParam<StoreFormFactory> {
 protected:
  MetadataStoreContractTest() : form_(GetParam().make()) {}

  MetadataStore& store() { return form_->store(); }

  template <typename Result, typename Start>
  Result Await(Start start) {
    auto answer = std::make_shared<std::optional<Result>>();
    start([answer](Result result) {
      EXPECT_FALSE(answer->has_value()) << "answered twice";
      *answer = std::move(result);
    });
    form_->RunUntil([answer] { return answer->has_value(); });
    return *std::move(*answer);
  }

  absl::StatusOr<std::optional<KeyValue>> Get(const std::string& key) {
    return Await<absl::StatusOr<std::optional<KeyValue>>>(
        [&](auto done) { store().Get(key, form_->executor(), std::move(done)); });
  }
  absl::StatusOr<ListResult> List(const std::string& prefix, const std::string& from) {
    return Await<absl::StatusOr<ListResult>>(
        [&](auto done) { store().List(prefix, from, form_->executor(), std::move(done)); });
  }
  absl::StatusOr<CommitResult> Commit(Transaction transaction) {
    return Await<absl::StatusOr<CommitResult>>([&](auto done) {
      store().Commit(std::move(transaction), form_->executor(), std::move(done));
    });
  }
  Revision Apply(std::vector<Operation> operations) {
    const auto result = Commit({.compares = {}, .operations = std::move(operations)});
    EXPECT_TRUE(result.ok()) << result.status();
    EXPECT_TRUE(result->succeeded);
    return result->revision;
  }
  Revision Put(const std::string& key, const std::string& value) {
    return Apply({{.key = key, .value = value}});
  }
  Revision Delete(const std::string& key) { return Apply({{.key = key}}); }
  bool Exists(const std::string& key) { return Get(key).value().has_value(); }
  std::string ValueOf(const std::string& key) {
    const std::optional<KeyValue> entry = Get(key).value();
    return entry.has_value() ? entry->value : "(absent)";
  }

  absl::StatusOr<LeaseId> Grant(absl::Duration time_to_live) {
    return Await<absl::StatusOr<LeaseId>>(
        [&](auto done) { store().GrantLease(time_to_live, form_->executor(), std::move(done)); });
  }
  absl::Status KeepAlive(LeaseId lease) {
    return Await<absl::Status>(
        [&](auto done) { store().KeepAlive(lease, form_->executor(), std::move(done)); });
  }
  absl::Status Revoke(LeaseId lease) {
    return Await<absl::Status>(
        [&](auto done) { store().RevokeLease(lease, form_->executor(), std::move(done)); });
  }

  /// What a watch was told: "KEY=VALUE" or "KEY deleted" for each change, " " between those of one
  /// transaction.
  struct Seen {
    std::vector<std::string> events;
    std::vector<Revision> revisions;
    std::vector<absl::Status> errors;
  };
  struct Watched {
    WatchId id{};
    std::shared_ptr<Seen> seen;
  };
  Watched Watch(const std::string& prefix, Revision after) {
    auto seen = std::make_shared<Seen>();
    const WatchId id =
        store().Watch(prefix, after, form_->executor(),
                      [seen](const absl::StatusOr<WatchEvent>& event) { Record(event, *seen); });
    return {.id = id, .seen = std::move(seen)};
  }
  void RunUntilSeen(const Watched& watch, size_t events) {
    form_->RunUntil([&] { return watch.seen->events.size() >= events; });
  }

  std::unique_ptr<StoreForm> form_;

 private:
  static void Record(const absl::StatusOr<WatchEvent>& event, Seen& seen) {
    if (!event.ok()) {
      seen.errors.push_back(event.status());
      return;
    }
    std::string text;
    for (const WatchEvent::Change& change : event->changes) {
      if (!text.empty()) text += " ";
      text += change.key + (change.entry.has_value() ? "=" + change.entry->value : " deleted");
    }
    seen.events.push_back(text);
    seen.revisions.push_back(event->revision);
  }
};

}  // namespace talosmq::metadata
