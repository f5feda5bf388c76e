#include "client/option_checks.h"

#include "base/status.h"
#include "base/text.h"
#include "base/utf8.h"
#include "client/server_list.h"
#include "talosmq/error.h"

#include "absl/time/time.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::client {
namespace {

std::string Show(int64_t value) { return absl::StrCat(value); }
std::string Show(absl::Duration value) { return absl::FormatDuration(value); }

template <typename T>
absl::Status CheckRange(std::string_view key, T value, T min, T max) {
  if (min <= value && value <= max) return absl::OkStatus();
  return MakeError(Reason::kInvalidArgument, base::StrCat(key, ": expected ", Show(min), " to ",
                                                          Show(max), ", found ", Show(value)));
}

absl::Status CheckSize(std::string_view key, std::string_view value, int64_t min, int64_t max) {
  return base::Annotate(
      CheckRange("its size in bytes", static_cast<int64_t>(value.size()), min, max), key);
}

constexpr size_t kShownBytesMax = 100;

absl::Status CheckUtf8(std::string_view key, std::string_view value) {
  if (base::IsUtf8(value)) return absl::OkStatus();
  return MakeError(Reason::kInvalidArgument, base::StrCat(key, ": expected UTF-8, found ",
                                                          base::Printable(value, kShownBytesMax)));
}

constexpr int64_t kKiB = 1024;
constexpr int64_t kMiB = 1024 * kKiB;
constexpr int64_t kGiB = 1024 * kMiB;

}  // namespace

absl::Status CheckOptions(const ClientOptions& options) {
  TALOSMQ_RETURN_IF_ERROR(ParseServerList(options.server).status());
  TALOSMQ_RETURN_IF_ERROR(CheckRange("request_timeout", options.request_timeout,
                                     absl::Milliseconds(100), absl::Minutes(10)));
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "tls_cert: expected tls_cert and tls_key together, found one of them");
  }
  if (!options.tls_cert.empty() && options.tls_ca.empty()) {
    return MakeError(Reason::kInvalidArgument, "tls_cert: expected tls_ca beside it, found none");
  }
  return CheckRange("metadata_age_max", options.metadata_age_max, absl::Seconds(1), absl::Hours(1));
}

absl::Status CheckOptions(const ProducerOptions& options) {
  TALOSMQ_RETURN_IF_ERROR(
      CheckRange("linger", options.linger, absl::ZeroDuration(), absl::Minutes(1)));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("batch_bytes", options.batch_bytes, kKiB, 20 * kMiB));
  TALOSMQ_RETURN_IF_ERROR(
      CheckRange("batch_records", options.batch_records, int64_t{0}, int64_t{1'000'000}));
  TALOSMQ_RETURN_IF_ERROR(CheckRange(
      "in_flight_per_partition", int64_t{options.in_flight_per_partition}, int64_t{1}, int64_t{5}));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("buffer_bytes", options.buffer_bytes, kMiB, 64 * kGiB));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("delivery_timeout", options.delivery_timeout,
                                     absl::Milliseconds(100), absl::Hours(1)));
  if (options.linger >= options.delivery_timeout) {
    return MakeError(
        Reason::kInvalidArgument,
        base::StrCat("linger: expected less than delivery_timeout (",
                     base::FromAbsl(absl::FormatDuration(options.delivery_timeout)), "), found ",
                     base::FromAbsl(absl::FormatDuration(options.linger))));
  }
  if (options.batch_bytes > options.buffer_bytes) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("batch_bytes: expected at most buffer_bytes (",
                                  options.buffer_bytes, "), found ", options.batch_bytes));
  }
  if (options.idempotent && options.acks != Acks::kAll) {
    return MakeError(Reason::kInvalidArgument,
                     base::StrCat("acks: expected all, for idempotent is true; found ",
                                  options.acks == Acks::kLeader ? "leader" : "none"));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const ConsumerOptions& options) {
  return CheckRange("prefetch_bytes", options.prefetch_bytes, kMiB, 4 * kGiB);
}

absl::Status CheckOptions(const PushConsumerOptions& options) {
  if (!options.new_processor) {
    return MakeError(Reason::kInvalidArgument, "new_processor: expected a factory, found none");
  }
  TALOSMQ_RETURN_IF_ERROR(CheckRange("partition_bytes", options.partition_bytes, 64 * kKiB, kGiB));
  return CheckOptions(options.consumer);
}

absl::Status CheckSubscription(const GroupSubscription& subscription) {
  if (subscription.topics.empty() && subscription.patterns.empty()) {
    return MakeError(Reason::kInvalidArgument,
                     "subscription: expected a topic or a pattern, found none");
  }
  for (const std::string& topic : subscription.topics) {
    TALOSMQ_RETURN_IF_ERROR(CheckUtf8("topic", topic));
  }
  for (const std::string& pattern : subscription.patterns) {
    TALOSMQ_RETURN_IF_ERROR(CheckUtf8("pattern", pattern));
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(const GroupOptions& options) {
  TALOSMQ_RETURN_IF_ERROR(CheckSize("group", options.group, 1, 249));
  TALOSMQ_RETURN_IF_ERROR(CheckSize("instance_id", options.instance_id, 0, 100));
  TALOSMQ_RETURN_IF_ERROR(CheckSize("client_id", options.client_id, 0, 100));
  TALOSMQ_RETURN_IF_ERROR(CheckUtf8("group", options.group));
  TALOSMQ_RETURN_IF_ERROR(CheckUtf8("instance_id", options.instance_id));
  TALOSMQ_RETURN_IF_ERROR(CheckUtf8("client_id", options.client_id));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("lease", options.lease, absl::Seconds(1), absl::Minutes(10)));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("poll_interval_max", options.poll_interval_max,
                                     absl::Seconds(1), absl::InfiniteDuration()));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("close_timeout", options.close_timeout,
                                     absl::Milliseconds(100), absl::Minutes(10)));
  return CheckSubscription(options.subscription);
}

absl::Status CheckOptions(const GroupConsumerOptions& options) {
  TALOSMQ_RETURN_IF_ERROR(CheckOptions(options.member));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("auto_commit_interval", options.auto_commit_interval,
                                     absl::Milliseconds(100), absl::Minutes(10)));
  return CheckRange("prefetch_bytes", options.prefetch_bytes, kMiB, 4 * kGiB);
}

absl::Status CheckOptions(const GroupPushConsumerOptions& options) {
  if (!options.new_processor) {
    return MakeError(Reason::kInvalidArgument, "new_processor: expected a factory, found none");
  }
  TALOSMQ_RETURN_IF_ERROR(CheckOptions(options.member));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("commit_interval", options.commit_interval,
                                     absl::Milliseconds(100), absl::Minutes(10)));
  TALOSMQ_RETURN_IF_ERROR(
      CheckRange("commit_records", options.commit_records, int64_t{1}, int64_t{1'000'000'000}));
  TALOSMQ_RETURN_IF_ERROR(CheckRange("partition_bytes", options.partition_bytes, 64 * kKiB, kGiB));
  return CheckRange("prefetch_bytes", options.prefetch_bytes, kMiB, 4 * kGiB);
}

absl::Status CheckOptions(const BroadcastConsumerOptions& options) {
  if (options.positions_file.empty()) {
    return MakeError(Reason::kInvalidArgument, "positions_file: expected a path, found none");
  }
  TALOSMQ_RETURN_IF_ERROR(CheckRange("save_interval", options.save_interval,
                                     absl::Milliseconds(100), absl::Minutes(10)));
  return CheckOptions(options.consumer);
}

absl::Status CheckOptions(const FetchOnceOptions& options) {
  TALOSMQ_RETURN_IF_ERROR(CheckRange("bytes_max", options.bytes_max, kKiB, 20 * kMiB));
  return CheckRange("wait", options.wait, absl::ZeroDuration(), absl::Minutes(1));
}

}  // namespace talosmq::client
