#pragma once

#include "base/metrics.h"

#include <memory>
#include <string>

namespace talosmq::http {

/// The metrics of the process in the form that Prometheus scrapes. Thread-safe.
class PrometheusRegistry : public base::MetricRegistry {
 public:
  static std::unique_ptr<PrometheusRegistry> Make();
  /// All metrics, and those of the process itself, in the text exposition format, version 0.0.4.
  virtual std::string Render() const = 0;
};

}  // namespace talosmq::http
