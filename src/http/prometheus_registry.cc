#include "http/prometheus_registry.h"

#include "base/mutex.h"
#include "http/process_metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

namespace talosmq::http {
namespace {

class PrometheusCounter final : public base::Counter {
 public:
  explicit PrometheusCounter(prometheus::Counter& counter) : counter_(counter) {}
  void Add(int64_t count) override { counter_.Increment(static_cast<double>(count)); }

 private:
  prometheus::Counter& counter_;
};

class PrometheusGauge final : public base::Gauge {
 public:
  PrometheusGauge(prometheus::Family<prometheus::Gauge>& family, const base::MetricLabels& labels)
      : family_(family), gauge_(family.Add(labels)) {}
  ~PrometheusGauge() override { family_.Remove(&gauge_); }
  PrometheusGauge(const PrometheusGauge&) = delete;
  PrometheusGauge& operator=(const PrometheusGauge&) = delete;
  void Set(double value) override { gauge_.Set(value); }

 private:
  prometheus::Family<prometheus::Gauge>& family_;
  prometheus::Gauge& gauge_;
};

class PrometheusHistogram final : public base::Histogram {
 public:
  explicit PrometheusHistogram(prometheus::Histogram& histogram) : histogram_(histogram) {}
  void Observe(double value) override { histogram_.Observe(value); }

 private:
  prometheus::Histogram& histogram_;
};

/// What tells one metric from another.
using MetricKey = std::pair<std::string, base::MetricLabels>;

class Registry final : public PrometheusRegistry {
 public:
  base::Counter& AddCounter(const std::string& name, const std::string& help,
                            const base::MetricLabels& labels) override {
    const base::MutexLock lock(mutex_);
    auto& slot = counters_[MetricKey(name, labels)];
    if (slot == nullptr) {
      auto& family = prometheus::BuildCounter().Name(name).Help(help).Register(registry_);
      slot = std::make_unique<PrometheusCounter>(family.Add(labels));
    }
    return *slot;
  }

  base::Gauge& AddGauge(const std::string& name, const std::string& help,
                        const base::MetricLabels& labels) override {
    const base::MutexLock lock(mutex_);
    auto& slot = gauges_[MetricKey(name, labels)];
    if (slot == nullptr) {
      auto& family = prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
      slot = std::make_unique<PrometheusGauge>(family, labels);
    }
    return *slot;
  }

  void RemoveGauge(const std::string& name, const base::MetricLabels& labels) override {
    const base::MutexLock lock(mutex_);
    gauges_.erase(MetricKey(name, labels));
  }

  base::Histogram& AddHistogram(const std::string& name, const std::string& help,
                                const base::MetricLabels& labels,
                                const std::vector<double>& bounds) override {
    const base::MutexLock lock(mutex_);
    auto& slot = histograms_[MetricKey(name, labels)];
    if (slot == nullptr) {
      auto& family = prometheus::BuildHistogram().Name(name).Help(help).Register(registry_);
      slot = std::make_unique<PrometheusHistogram>(family.Add(labels, bounds));
    }
    return *slot;
  }

  std::string Render() const override {
    std::vector<prometheus::MetricFamily> families = registry_.Collect();
    std::ranges::move(CollectProcessMetrics(), std::back_inserter(families));
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  prometheus::Registry registry_;
  base::Mutex mutex_;
  std::map<MetricKey, std::unique_ptr<base::Counter>> counters_ ABSL_GUARDED_BY(mutex_);
  std::map<MetricKey, std::unique_ptr<base::Gauge>> gauges_ ABSL_GUARDED_BY(mutex_);
  std::map<MetricKey, std::unique_ptr<base::Histogram>> histograms_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

std::unique_ptr<PrometheusRegistry> PrometheusRegistry::Make() {
  return std::make_unique<Registry>();
}

}  // namespace talosmq::http
