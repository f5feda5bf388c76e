#pragma once

#include "base/metrics.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::rpc {

/// What waits, or was not sent yet: so many requests or answers, and the memory they hold.
struct Load {
  int64_t entries = 0;
  int64_t bytes = 0;

  friend Load operator-(Load a, Load b) {
    return {.entries = a.entries - b.entries, .bytes = a.bytes - b.bytes};
  }
};

/// The bound of what one listener holds for its clients, of all together and of each.
///
/// A connection may hold as much as is still free. So one alone gets half of it all, two greedy
/// ones a third each, and what they leave free serves whoever comes next (Choudhury and Hahne,
/// "Dynamic queue length thresholds for shared-memory packet switches", IEEE/ACM Transactions on
/// Networking 6(2), 1998).
///
/// Invariants:
/// 1. What was taken is within the bounds, but for a request that is above them by itself and comes
///    while nothing is held, and for what Share::Settle adds.
/// 2. What was taken goes back when the share goes.
/// Thread-safe. Shares and connections keep what they count on alive.
class ListenerBudget {
  struct Account;
  struct State;
  class Tally;

 public:
  /// Part of the budget that one connection holds. Move-only; an empty one holds nothing.
  class Share {
   public:
    Share() = default;
    Share(Share&& other) noexcept : account_(std::move(other.account_)), load_(other.load_) {}
    Share& operator=(Share&& other) noexcept {
      std::swap(account_, other.account_);
      std::swap(load_, other.load_);
      return *this;
    }
    ~Share();

    bool is_empty() const { return account_ == nullptr; }
    /// Holds `load` from now on, also when that is more than there is room for: the memory is taken
    /// already. Does nothing to an empty share.
    void Settle(Load load);
    /// The same if there is room for what it has not held so far; if not, it holds what it held:
    /// kOverloaded, with the time to wait.
    absl::Status Resize(Load load);

   private:
    friend class ListenerBudget;
    Share(std::shared_ptr<Account> account, Load load)
        : account_(std::move(account)), load_(load) {}
    std::shared_ptr<Account> account_;
    Load load_;
  };

  /// One client's connection. A copy is the same connection.
  class Connection {
   public:
    /// kOverloaded, with the time to wait, when there is no room for `load`.
    absl::StatusOr<Share> Take(Load load) const;

   private:
    friend class ListenerBudget;
    explicit Connection(std::shared_ptr<Account> account) : account_(std::move(account)) {}
    std::shared_ptr<Account> account_;
  };

  /// `name` tells in messages and metrics what is bounded: "records", "calls".
  ListenerBudget(std::string name, Load bounds, base::MetricRegistry& metrics);
  ~ListenerBudget();

  /// `peer` as gRPC names it: another for each connection.
  Connection ConnectionOf(std::string_view peer);

 private:
  const std::shared_ptr<State> state_;
};

}  // namespace talosmq::rpc
