#include "rpc/listener_budget.h"

#include "base/mutex.h"
#include "base/text.h"
#include "rpc/limits.h"
#include "talosmq/error.h"

#include "absl/container/flat_hash_map.h"

#include <atomic>
#include <optional>

namespace talosmq::rpc {
namespace {

/// `held` by the connection and `taken` by all, both before `wanted` came.
bool Fits(int64_t wanted, int64_t held, int64_t taken, int64_t bound) {
  return held + wanted <= bound - taken || taken == 0;
}

}  // namespace

/// Adds to both counters at once; tells what stood there before.
class ListenerBudget::Tally {
 public:
  Load Add(Load load) {
    return {.entries = entries_.fetch_add(load.entries), .bytes = bytes_.fetch_add(load.bytes)};
  }
  void Subtract(Load load) {
    entries_.fetch_sub(load.entries);
    bytes_.fetch_sub(load.bytes);
  }
  Load now() const { return {.entries = entries_.load(), .bytes = bytes_.load()}; }

 private:
  std::atomic<int64_t> entries_{0};
  std::atomic<int64_t> bytes_{0};
};

/// What all connections hold. Shares may outlive the budget, and with it the registry.
struct ListenerBudget::State {
  struct Metrics {
    base::Counter& refusals;
    base::Gauge& held_bytes;
    base::Gauge& held_entries;
  };

  State(std::string name_of_it, Load bounds_of_it, base::MetricRegistry& registry)
      : name(std::move(name_of_it)),
        bounds(bounds_of_it),
        metrics(Metrics{
            .refusals = registry.AddCounter("talosmq_listener_refusals_total",
                                            "What a client asked for and a full listener refused.",
                                            {{"listener", "grpc"}, {"what", name}}),
            .held_bytes = registry.AddGauge("talosmq_listener_held_bytes",
                                            "Memory of what waits or is not sent yet.",
                                            {{"listener", "grpc"}, {"what", name}}),
            .held_entries = registry.AddGauge("talosmq_listener_held_entries",
                                              "Requests and answers that wait or are not sent yet.",
                                              {{"listener", "grpc"}, {"what", name}})}) {}

  /// Whether `wanted` fits beside what the connection holds and all have taken.
  bool HasRoom(Load wanted, Load held, Load all) const {
    return Fits(wanted.entries, held.entries, all.entries, bounds.entries) &&
           Fits(wanted.bytes, held.bytes, all.bytes, bounds.bytes);
  }

  /// After what was added for it is subtracted again, which may have been shown meanwhile.
  absl::Status Refuse(Load wanted, Load held, Load all) {
    Show();
    {
      const base::MutexLock lock(metrics_mutex);
      if (metrics.has_value()) metrics->refusals.Add(1);
    }
    return MakeOverloaded(
        base::StrCat("the server holds ", all.bytes, " of ", bounds.bytes, " bytes and ",
                     all.entries, " of ", bounds.entries, " ", name, ", ", held.bytes,
                     " bytes and ", held.entries, " of them for this connection, which asks for ",
                     wanted.bytes, " bytes more"),
        kRetryAfterDefault);
  }

  /// After each change. At most one thread waits here, for the one that shows; what others change
  /// meanwhile it shows with its own.
  void Show() {
    if (is_to_be_shown.exchange(true)) return;
    const base::MutexLock lock(metrics_mutex);
    is_to_be_shown.store(false);
    if (!metrics.has_value()) return;
    const Load now = taken.now();
    metrics->held_bytes.Set(static_cast<double>(now.bytes));
    metrics->held_entries.Set(static_cast<double>(now.entries));
  }

  void ShowNoMore() {
    const base::MutexLock lock(metrics_mutex);
    metrics.reset();
  }

  const std::string name;
  const Load bounds;
  Tally taken;
  /// Somebody is about to read `taken` for the gauges.
  std::atomic<bool> is_to_be_shown{false};
  base::Mutex metrics_mutex;
  /// Nothing once the registry may have gone.
  std::optional<Metrics> metrics ABSL_GUARDED_BY(metrics_mutex);
  base::Mutex mutex;
  absl::flat_hash_map<std::string, std::weak_ptr<Account>> accounts ABSL_GUARDED_BY(mutex);
};

/// What one connection holds. Lives as long as a call of the connection or a share.
struct ListenerBudget::Account {
  Account(std::shared_ptr<State> state_of_all, std::string_view name)
      : state(std::move(state_of_all)), peer(name) {}
  ~Account() {
    const base::MutexLock lock(state->mutex);
    // Another one of that name may stand there by now.
    const auto entry = state->accounts.find(peer);
    if (entry != state->accounts.end() && entry->second.expired()) state->accounts.erase(entry);
  }
  const std::shared_ptr<State> state;
  const std::string peer;
  Tally held;
};

ListenerBudget::ListenerBudget(std::string name, Load bounds, base::MetricRegistry& metrics)
    : state_(std::make_shared<State>(std::move(name), bounds, metrics)) {}

ListenerBudget::~ListenerBudget() { state_->ShowNoMore(); }

ListenerBudget::Connection ListenerBudget::ConnectionOf(std::string_view peer) {
  const base::MutexLock lock(state_->mutex);
  std::weak_ptr<Account>& known = state_->accounts[base::ToAbsl(peer)];
  std::shared_ptr<Account> account = known.lock();
  if (account == nullptr) known = account = std::make_shared<Account>(state_, peer);
  return Connection(std::move(account));
}

absl::StatusOr<ListenerBudget::Share> ListenerBudget::Connection::Take(Load load) const {
  State& state = *account_->state;
  const Load taken = state.taken.Add(load);
  const Load held = account_->held.Add(load);
  if (state.HasRoom(load, held, taken)) {
    state.Show();
    return Share(account_, load);
  }
  state.taken.Subtract(load);
  account_->held.Subtract(load);
  return state.Refuse(load, held, taken);
}

ListenerBudget::Share::~Share() {
  if (account_ == nullptr) return;
  account_->state->taken.Subtract(load_);
  account_->held.Subtract(load_);
  account_->state->Show();
}

void ListenerBudget::Share::Settle(Load load) {
  if (account_ == nullptr) return;
  const Load change = load - load_;
  account_->state->taken.Add(change);
  account_->held.Add(change);
  load_ = load;
  account_->state->Show();
}

absl::Status ListenerBudget::Share::Resize(Load load) {
  if (account_ == nullptr) return absl::OkStatus();
  State& state = *account_->state;
  const Load change = load - load_;
  const Load taken = state.taken.Add(change);
  const Load held = account_->held.Add(change);
  const bool is_smaller = change.entries <= 0 && change.bytes <= 0;
  // As if it was given back and taken anew.
  if (is_smaller || state.HasRoom(load, held - load_, taken - load_)) {
    load_ = load;
    state.Show();
    return absl::OkStatus();
  }
  state.taken.Subtract(change);
  account_->held.Subtract(change);
  return state.Refuse(change, held, taken);
}

}  // namespace talosmq::rpc
