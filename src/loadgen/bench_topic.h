#pragma once

#include "loadgen/workload.h"
#include "talosmq/admin.h"
#include "talosmq/client.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <cstdint>
#include <memory>
#include <string>

namespace talosmq::loadgen {

/// The topic that a bench uses: the one it was given, or "bench-<random>", made here. Remove()
/// deletes only what was made; the destructor does it as well, for ways out that failed.
/// Thread-compatible. Lives inside the client.
class BenchTopic {
 public:
  static absl::StatusOr<BenchTopic> Open(Client& client, const Workload& workload,
                                         base::Random& random);
  BenchTopic(BenchTopic&& other) noexcept = default;
  BenchTopic& operator=(BenchTopic&&) = delete;
  ~BenchTopic();

  const std::string& name() const { return name_; }
  int32_t partitions() const { return partitions_; }
  bool is_own() const { return is_own_; }
  absl::Status Remove();

 private:
  BenchTopic(std::unique_ptr<Admin> admin, std::string name)
      : admin_(std::move(admin)), name_(std::move(name)) {}

  std::unique_ptr<Admin> admin_;  ///< Null once moved from or removed.
  std::string name_;
  int32_t partitions_ = 0;
  bool is_own_ = false;
};

}  // namespace talosmq::loadgen
