#include "base/metrics.h"

namespace talosmq::base {
namespace {

class NullCounter final : public Counter {
 public:
  void Add(int64_t /*count*/) override {}
};

class NullGauge final : public Gauge {
 public:
  void Set(double /*value*/) override {}
};

class NullHistogram final : public Histogram {
 public:
  void Observe(double /*value*/) override {}
};

class NullMetricRegistry final : public MetricRegistry {
 public:
  Counter& AddCounter(const std::string& /*name*/, const std::string& /*help*/,
                      const MetricLabels& /*labels*/) override {
    return counter_;
  }
  Gauge& AddGauge(const std::string& /*name*/, const std::string& /*help*/,
                  const MetricLabels& /*labels*/) override {
    return gauge_;
  }
  void RemoveGauge(const std::string& /*name*/, const MetricLabels& /*labels*/) override {}
  Histogram& AddHistogram(const std::string& /*name*/, const std::string& /*help*/,
                          const MetricLabels& /*labels*/,
                          const std::vector<double>& /*bounds*/) override {
    return histogram_;
  }

 private:
  NullCounter counter_;
  NullGauge gauge_;
  NullHistogram histogram_;
};

}  // namespace

std::unique_ptr<MetricRegistry> MakeNullMetricRegistry() {
  return std::make_unique<NullMetricRegistry>();
}

}  // namespace talosmq::base
