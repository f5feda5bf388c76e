#pragma once

#include "base/metrics.h"
#include "base/mutex.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace talosmq::kafka {

/// What the requests, or the answers, of all connections take together. Thread-safe.
class MemoryPool {
 public:
  explicit MemoryPool(int64_t bytes_max) : bytes_max_(bytes_max) {}
  MemoryPool(const MemoryPool&) = delete;
  MemoryPool& operator=(const MemoryPool&) = delete;

  /// False when there is no room now; whoever is alone gets any amount.
  bool TryTake(int64_t bytes);
  /// Takes up to `bytes`: no more than a quarter of what is free, so that a few do not get all of
  /// it, but `least` in any case. How much it took; 0: there is no room now.
  int64_t TakeShare(int64_t bytes, int64_t least);
  /// Takes it though there may not be so much: false once more than the bound is taken. So it is
  /// passed by what one asks for at most.
  bool TryTakeBeyond(int64_t bytes);
  bool is_within_bound() const { return taken_ <= bytes_max_; }
  int64_t free() const { return bytes_max_ - taken_; }
  void GiveBack(int64_t bytes) { taken_ -= bytes; }
  /// The right to go beyond the bound, which one request has at a time: so requests that each hold
  /// a part and need more never wait for each other for ever.
  bool TryOverdraw() { return !is_overdrawn_.exchange(true); }
  /// With that right.
  void TakeAnyway(int64_t bytes) { taken_ += bytes; }
  void EndOverdraft() { is_overdrawn_ = false; }

 private:
  const int64_t bytes_max_;
  std::atomic<int64_t> taken_ = 0;
  std::atomic<bool> is_overdrawn_ = false;
};

/// What one request takes of the memory of all, until it is answered: its frame, what is decoded of
/// it and what is made of that. Given back when the last holder lets go. Confined to its connection
/// but for the destructor, which may run anywhere.
class RequestMemory {
 public:
  RequestMemory(std::shared_ptr<MemoryPool> pool, int64_t bytes)
      : pool_(std::move(pool)), bytes_(bytes) {}
  RequestMemory(const RequestMemory&) = delete;
  RequestMemory& operator=(const RequestMemory&) = delete;
  ~RequestMemory();

  /// Up to `bytes` in all; false when there is no room now.
  bool TryGrowTo(int64_t bytes);
  /// Down to `bytes` in all.
  void ShrinkTo(int64_t bytes);

 private:
  const std::shared_ptr<MemoryPool> pool_;
  int64_t bytes_;
  int64_t overdrawn_bytes_ = 0;  ///< Of them; not 0: it has the right to the overdraft.
};

/// What one answer takes of the memory of all, until the client has taken it. What is read for it
/// finds room before; all else is counted when it is there. Used by one thread at a time.
class AnswerMemory {
 public:
  static constexpr int64_t kBytesLeast = int64_t{1} << 20;

  explicit AnswerMemory(std::shared_ptr<MemoryPool> pool) : pool_(std::move(pool)) {}
  AnswerMemory(const AnswerMemory&) = delete;
  AnswerMemory& operator=(const AnswerMemory&) = delete;
  ~AnswerMemory() { pool_->GiveBack(bytes_); }

  /// How large the answer may become, at most `bytes`; what it has already: there is no room now.
  int64_t Reserve(int64_t bytes);
  /// What it really takes; false, and nothing changes, when that is more than it has and others
  /// have passed the bound already.
  bool TrySettle(int64_t bytes);
  /// The same in any case.
  void Settle(int64_t bytes);

 private:
  const std::shared_ptr<MemoryPool> pool_;
  int64_t bytes_ = 0;
};

/// Places for connections: so many in all, and so many for one address. Thread-safe.
class Seats : public std::enable_shared_from_this<Seats> {
 public:
  struct Bounds {
    int64_t in_all = 0;
    int64_t per_address = 0;
  };
  /// A place that its owner gives back by destroying it.
  class Seat {
   public:
    Seat(std::shared_ptr<Seats> seats, std::string address)
        : seats_(std::move(seats)), address_(std::move(address)) {}
    Seat(Seat&&) = default;
    Seat& operator=(Seat&&) = delete;
    ~Seat() {
      if (seats_ != nullptr) seats_->Leave(address_);
    }

   private:
    std::shared_ptr<Seats> seats_;
    std::string address_;
  };

  /// `gauge` tells how many are taken, and outlives this; null: nothing does.
  Seats(const Bounds& bounds, base::Gauge* gauge) : bounds_(bounds), gauge_(gauge) {}

  /// Nothing: all are taken, or all for this address.
  std::optional<Seat> Enter(const std::string& address);

 private:
  void Leave(const std::string& address);
  void CountLocked(int64_t change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Bounds bounds_;
  base::Gauge* const gauge_;
  base::Mutex mutex_;
  int64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int64_t> by_address_ ABSL_GUARDED_BY(mutex_);
};

/// What all connections of the front may take together. Thread-safe.
class ListenerLimits {
 public:
  struct Options {
    int64_t connections_max = 10'000;
    int64_t connections_per_address_max = 5'000;
    /// Connections that are not past their handshake of TLS, or the login that is due.
    int64_t strangers_max = 1'000;
    int64_t strangers_per_address_max = 100;
    int64_t produce_bytes_max = int64_t{100} << 20;  ///< Of the frame of one Produce request.
    int64_t request_bytes_max = int64_t{4} << 20;    ///< Of the frame of any other request.
    int64_t login_bytes_max = int64_t{8} << 10;      ///< Of any frame before a login that is due.
    int64_t decoded_bytes_max = int64_t{4} << 20;    ///< Of the lists in one request.
    int64_t memory_bytes_max = int64_t{512} << 20;   ///< Of all requests that are under way.
    /// Of all answers that have not been taken yet.
    int64_t answer_bytes_max = int64_t{512} << 20;
  };

  /// `connections` tells how many there are; it outlives this.
  ListenerLimits(const Options& options, base::Gauge& connections)
      : options_(options),
        connections_(std::make_shared<Seats>(
            Seats::Bounds{.in_all = options.connections_max,
                          .per_address = options.connections_per_address_max},
            &connections)),
        strangers_(
            std::make_shared<Seats>(Seats::Bounds{.in_all = options.strangers_max,
                                                  .per_address = options.strangers_per_address_max},
                                    nullptr)),
        memory_(std::make_shared<MemoryPool>(options.memory_bytes_max)),
        answers_(std::make_shared<MemoryPool>(options.answer_bytes_max)) {}

  const Options& options() const { return options_; }
  Seats& connections() { return *connections_; }
  Seats& strangers() { return *strangers_; }
  /// Memory for the beginning of one request; null while there is no room.
  std::shared_ptr<RequestMemory> Admit(int64_t bytes);
  std::shared_ptr<AnswerMemory> AddAnswer() { return std::make_shared<AnswerMemory>(answers_); }
  /// Whether an answer may be begun.
  bool HasAnswerRoom() const { return answers_->free() >= AnswerMemory::kBytesLeast; }

  /// While it lives, somebody waits for room for an answer.
  class AnswerWait {
   public:
    explicit AnswerWait(ListenerLimits& limits) : limits_(limits) { ++limits_.answer_waits_; }
    AnswerWait(const AnswerWait&) = delete;
    AnswerWait& operator=(const AnswerWait&) = delete;
    ~AnswerWait() { --limits_.answer_waits_; }

   private:
    ListenerLimits& limits_;
  };
  /// Somebody waits for it, or more has been taken than there is.
  bool lacks_answer_room() const { return answer_waits_ > 0 || !answers_->is_within_bound(); }

 private:
  const Options options_;
  const std::shared_ptr<Seats> connections_;
  const std::shared_ptr<Seats> strangers_;
  const std::shared_ptr<MemoryPool> memory_;
  const std::shared_ptr<MemoryPool> answers_;
  std::atomic<int> answer_waits_ = 0;
};

}  // namespace talosmq::kafka
