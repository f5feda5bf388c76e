#pragma once

#include <prometheus/metric_family.h>

#include <vector>

namespace talosmq::http {

/// What the kernel knows of this process, under the names that Prometheus clients share: CPU time,
/// resident memory, open file descriptors and their limit. What cannot be read is left out.
/// Thread-safe; reads a few files under /proc.
std::vector<prometheus::MetricFamily> CollectProcessMetrics();

}  // namespace talosmq::http
