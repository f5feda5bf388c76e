#pragma once

#include "base/metrics.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::rpc {

/// Keeps what one listener budget counts and shows. Its metrics outlive the time in which they may
/// be used, so that a test sees when they are used after that.
class WatchedRegistry final : public base::MetricRegistry {
 public:
  /// `what`: the name of the budget.
  explicit WatchedRegistry(std::string what) : what_(std::move(what)) {}

  class Value final : public base::Counter, public base::Gauge {
   public:
    void Add(int64_t count) override { now_ += count; }
    void Set(double value) override { now_ = static_cast<int64_t>(value); }
    int64_t now() const { return now_.load(); }

   private:
    std::atomic<int64_t> now_{0};
  };

  base::Counter& AddCounter(const std::string& name, const std::string& help,
                            const base::MetricLabels& labels) override {
    if (!IsWatched(labels)) return null_->AddCounter(name, help, labels);
    return refusals;
  }
  base::Gauge& AddGauge(const std::string& name, const std::string& help,
                        const base::MetricLabels& labels) override {
    if (!IsWatched(labels)) return null_->AddGauge(name, help, labels);
    return name == "talosmq_listener_held_bytes" ? held_bytes : held_entries;
  }
  void RemoveGauge(const std::string& /*name*/, const base::MetricLabels& /*labels*/) override {}
  base::Histogram& AddHistogram(const std::string& name, const std::string& help,
                                const base::MetricLabels& labels,
                                const std::vector<double>& bounds) override {
    return null_->AddHistogram(name, help, labels, bounds);
  }

  Value refusals;
  Value held_bytes;
  Value held_entries;

 private:
  bool IsWatched(const base::MetricLabels& labels) const {
    const auto what = labels.find("what");
    return what != labels.end() && what->second == what_;
  }

  const std::string what_;
  const std::unique_ptr<base::MetricRegistry> null_ = base::MakeNullMetricRegistry();
};

}  // namespace talosmq::rpc
