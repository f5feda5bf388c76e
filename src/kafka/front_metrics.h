#pragma once

#include "base/metrics.h"
#include "base/mutex.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::kafka {

/// How a client wants to log in; kOther: not at all, or by what there is not.
enum class LoginMechanism : uint8_t { kOther, kPlain, kScramSha256, kScramSha512 };
/// How a login has ended; kBusy: too many were under way; kLate: it took too long.
enum class LoginResult : uint8_t { kDone, kRefused, kBusy, kLate };

/// What is counted of all connections together. Thread-safe. Borrows the registry, which outlives
/// whoever still answers a request.
class FrontMetrics {
 public:
  /// So many clients are told apart by name and version; what else there is counts as "other".
  static constexpr size_t kSoftwareMax = 100;
  static constexpr size_t kSoftwareBytesMax = 64;  ///< Of a name, or of a version.

  explicit FrontMetrics(base::MetricRegistry& registry);

  base::Counter& received_bytes() const { return received_bytes_; }
  base::Counter& sent_bytes() const { return sent_bytes_; }
  base::Gauge& connections() const { return connections_; }
  /// Of an API that is served in that version, so that there are not many of them.
  base::Counter& Requests(std::string_view api, int16_t version) const;
  base::Counter& RequestsBy(std::string_view software, std::string_view version);
  base::Counter& Logins(LoginMechanism mechanism, LoginResult result) const {
    return *logins_[static_cast<size_t>(mechanism)][static_cast<size_t>(result)];
  }

 private:
  static constexpr size_t kMechanisms = 4;
  static constexpr size_t kResults = 4;

  base::MetricRegistry& registry_;
  base::Counter& received_bytes_;
  base::Counter& sent_bytes_;
  base::Gauge& connections_;
  std::array<std::array<base::Counter*, kResults>, kMechanisms> logins_;
  base::Mutex mutex_;
  std::map<std::pair<std::string, std::string>, base::Counter*> by_software_
      ABSL_GUARDED_BY(mutex_);
};

/// What is counted of the requests of one connection. Confined to its loop, where requests reach
/// their handlers. Borrows `front`, as long as requests come.
class ClientMetrics {
 public:
  explicit ClientMetrics(FrontMetrics& front);

  void CountRequest(std::string_view api, int16_t version);
  /// How the client calls itself. It counts as unknown until its name is trusted.
  void NameSoftware(std::string_view software, std::string_view version);
  /// Of who may be here: others could use up the names that are told apart.
  void TrustName();

 private:
  FrontMetrics& front_;
  std::map<std::pair<std::string_view, int16_t>, base::Counter*> by_api_;  ///< Found once.
  base::Counter* of_software_;
  bool is_trusted_ = false;
  std::optional<std::pair<std::string, std::string>> untrusted_name_;  ///< And version.
};

}  // namespace talosmq::kafka
