#pragma once

#include "base/bytes.h"
#include "base/metrics.h"
#include "base/mutex.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

namespace talosmq::kafka {

/// What all connections of the front may take together. Thread-safe.
class ListenerLimits : public std::enable_shared_from_this<ListenerLimits> {
 public:
  struct Options {
    int64_t connections_max = 10'000;
    int64_t connections_per_address_max = 5'000;
    int64_t frame_bytes_max = int64_t{100} << 20;    ///< Of one request.
    int64_t request_bytes_max = int64_t{512} << 20;  ///< Of all requests that are under way.
  };

  /// A place that its owner gives back by destroying it.
  class Seat {
   public:
    Seat(std::shared_ptr<ListenerLimits> limits, std::string address)
        : limits_(std::move(limits)), address_(std::move(address)) {}
    Seat(Seat&&) = default;
    Seat& operator=(Seat&&) = delete;
    ~Seat() {
      if (limits_ != nullptr) limits_->Leave(address_);
    }

   private:
    std::shared_ptr<ListenerLimits> limits_;
    std::string address_;
  };

  /// `connections` tells how many there are; it outlives this.
  ListenerLimits(const Options& options, base::Gauge& connections)
      : options_(options), gauge_(connections) {}

  const Options& options() const { return options_; }
  /// Nothing: too many connections, of all or of this address.
  std::optional<Seat> Enter(const std::string& address);
  /// Memory for one request, given back when the last slice of it goes; nothing while there is no
  /// room. A request is never refused for its size alone: it gets the memory when nobody else has
  /// any.
  std::optional<base::Buffer> Allocate(size_t bytes);

 private:
  void Leave(const std::string& address);

  const Options options_;
  base::Gauge& gauge_;
  base::Mutex mutex_;
  int64_t connections_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, int64_t> by_address_ ABSL_GUARDED_BY(mutex_);
  std::atomic<int64_t> request_bytes_ = 0;
};

}  // namespace talosmq::kafka
