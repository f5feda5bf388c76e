#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::base {

using MetricLabels = std::map<std::string, std::string>;

/// Only grows. Thread-safe.
class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(int64_t count) = 0;
};

/// Goes up and down. Thread-safe.
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(double value) = 0;
};

/// Counts observations by bucket. Thread-safe.
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void Observe(double value) = 0;
};

/// Makes metrics; asking again with the same name and labels gives the same one. What it returns
/// lives as long as the registry, but for what RemoveGauge ends. Names follow Prometheus:
/// "talosmq_storage_flush_seconds", the unit last. The HTTP front has the form that is scraped.
/// Thread-safe.
class MetricRegistry {
 public:
  virtual ~MetricRegistry() = default;
  virtual Counter& AddCounter(const std::string& name, const std::string& help,
                              const MetricLabels& labels) = 0;
  virtual Gauge& AddGauge(const std::string& name, const std::string& help,
                          const MetricLabels& labels) = 0;
  /// Ends one gauge, if it is there: what AddGauge gave for it must not be used any more.
  virtual void RemoveGauge(const std::string& name, const MetricLabels& labels) = 0;
  /// `bounds`: upper bounds of the buckets, ascending.
  virtual Histogram& AddHistogram(const std::string& name, const std::string& help,
                                  const MetricLabels& labels,
                                  const std::vector<double>& bounds) = 0;
};

/// Takes everything and keeps nothing: for tests and for programs that nobody scrapes.
std::unique_ptr<MetricRegistry> MakeNullMetricRegistry();

}  // namespace talosmq::base
