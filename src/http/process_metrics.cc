#include "http/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

namespace talosmq::http {
namespace {

double Seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

std::optional<double> CpuSeconds() {
  rusage usage{};
  if (getrusage(RUSAGE_SELF, &usage) != 0) return std::nullopt;
  return Seconds(usage.ru_utime) + Seconds(usage.ru_stime);
}

std::optional<double> ResidentBytes() {
  std::ifstream pages("/proc/self/statm");
  double total = 0;
  double resident = 0;
  if (!(pages >> total >> resident)) return std::nullopt;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

std::optional<double> OpenDescriptors() {
  std::error_code failed;
  double count = 0;
  std::filesystem::directory_iterator entry("/proc/self/fd", failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    ++count;
  }
  if (failed) return std::nullopt;
  return count;
}

std::optional<double> DescriptorLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return std::nullopt;
  return static_cast<double>(limit.rlim_cur);
}

}  // namespace

std::vector<prometheus::MetricFamily> CollectProcessMetrics() {
  std::vector<prometheus::MetricFamily> families;
  const auto add = [&](const char* name, const char* help, prometheus::MetricType type,
                       std::optional<double> value) {
    if (!value.has_value()) return;
    prometheus::ClientMetric metric;
    metric.counter.value = *value;
    metric.gauge.value = *value;
    families.push_back({name, help, type, {metric}});
  };
  using prometheus::MetricType;
  add("process_cpu_seconds_total", "CPU time used, user and system.", MetricType::Counter,
      CpuSeconds());
  add("process_resident_memory_bytes", "Memory resident.", MetricType::Gauge, ResidentBytes());
  add("process_open_fds", "File descriptors open.", MetricType::Gauge, OpenDescriptors());
  add("process_max_fds", "File descriptors that may be open.", MetricType::Gauge,
      DescriptorLimit());
  return families;
}

}  // namespace talosmq::http
