#include "broker/options.h"

#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include "absl/time/time.h"

namespace talosmq::broker {
namespace {

absl::Status CheckRange(std::string_view key, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return MakeError(Reason::kInvalidArgument, base::StrCat("broker option ", key, ": expected ", min,
                                                          " to ", max, ", found ", value));
}

absl::Status CheckRange(std::string_view key, absl::Duration value, absl::Duration min,
                        absl::Duration max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("broker option ", key, ": expected ", absl::FormatDuration(min), " to ",
                   absl::FormatDuration(max), ", found ", absl::FormatDuration(value)));
}

}  // namespace

absl::Status CheckOptions(const BrokerOptions& options) {
  const PartitionOptions& partition = options.partition;
  TALOSMQ_RETURN_IF_ERROR(
      CheckRange("pending_appends_max", partition.pending_appends_max, 1, 1'000'000));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("parked_acks_max", partition.parked_acks_max, 1, 1'000'000));
  TALOSMQ_RETURN_IF_ERROR(
      CheckRange("waiting_fetches_max", partition.waiting_fetches_max, 1, 1'000'000));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("reopen_backoff_min", partition.reopen_backoff_min,
                                     absl::Milliseconds(1), absl::Minutes(1)));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("reopen_backoff_max", partition.reopen_backoff_max,
                                     partition.reopen_backoff_min, absl::Minutes(1)));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("cleanup_interval", options.cleanup_interval,
                                     absl::Milliseconds(100), absl::Hours(1)));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("users_max", options.users_max, 1, 10'000));
  return CheckRange("shard_append_bytes_max", options.shard_append_bytes_max, int64_t{1} << 20,
                    int64_t{64} << 30);
}

}  // namespace talosmq::broker
