#include "loadgen/ceiling_bench.h"

#include "base/status.h"
#include "loadgen/ceiling_client.h"
#include "loadgen/ceiling_log.h"
#include "loadgen/ceiling_server.h"
#include "loadgen/record_values.h"
#include "record/batch.h"

#include "absl/strings/str_format.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

namespace talosmq::loadgen {
namespace {

constexpr size_t kBatchBytes = size_t{1} << 20;
/// More than are under way, so that none is sent again before it was acknowledged.
constexpr size_t kPrebuiltBatches = 8;

struct BuiltBatch {
  base::Buffer bytes;
  int64_t records = 0;
};

/// Builds batches of the next records. Thread-compatible.
class BatchSource {
 public:
  BatchSource(const RecordValues& values, const base::Clock& clock)
      : values_(values),
        now_ms_(absl::ToUnixMillis(clock.Now())),
        builder_(record::Codec::kNone, kBatchBytes) {}

  absl::StatusOr<BuiltBatch> Next(int64_t records_max) {
    while (builder_.count() < records_max) {
      record::RecordInput input;
      input.timestamp_ms = now_ms_;
      input.value = values_.Get(record_);
      const bool is_full =
          builder_.bytes() + record::BatchBuilder::EncodedBytesMax(input) > kBatchBytes;
      if (is_full && !builder_.empty()) break;
      builder_.Append(input);
      ++record_;
    }
    const int64_t records = builder_.count();
    TALOSMQ_ASSIGN_OR_RETURN(base::Buffer bytes, builder_.Finish({}));
    return BuiltBatch{.bytes = std::move(bytes), .records = records};
  }

 private:
  const RecordValues& values_;
  const int64_t now_ms_;
  record::BatchBuilder builder_;
  int64_t record_ = 0;
};

/// Sends batches that `next` gives, at most so many records each, until all are acknowledged.
template <typename Next>
absl::StatusOr<RunResult> SendBatches(CeilingClient& client, const CeilingOptions& options,
                                      const BenchDeps& deps, Next next) {
  const absl::Duration began = deps.clock.Monotonic();
  int64_t records = 0;
  while (records < options.records) {
    if (deps.is_interrupted()) return MakeError(Reason::kCancelled, "interrupted");
    TALOSMQ_ASSIGN_OR_RETURN(BuiltBatch batch, next(options.records - records));
    records += batch.records;
    TALOSMQ_RETURN_IF_ERROR(client.Send(std::move(batch.bytes)));
  }
  TALOSMQ_RETURN_IF_ERROR(client.Drain());
  return RunResult{.records = records,
                   .bytes = records * options.value_bytes,
                   .took = deps.clock.Monotonic() - began,
                   .latency = client.TakeLatency()};
}

absl::StatusOr<RunResult> SendPrebuilt(CeilingClient& client, BatchSource& source,
                                       const CeilingOptions& options, const BenchDeps& deps) {
  std::vector<BuiltBatch> batches;
  for (size_t i = 0; i < kPrebuiltBatches; ++i) {
    TALOSMQ_ASSIGN_OR_RETURN(BuiltBatch batch, source.Next(options.records));
    batches.push_back(std::move(batch));
  }
  size_t sent = 0;
  return SendBatches(client, options, deps, [&](int64_t) -> absl::StatusOr<BuiltBatch> {
    return batches[sent++ % batches.size()];
  });
}

absl::StatusOr<CeilingResult> Measure(CeilingClient& client, const CeilingOptions& options,
                                      const BenchDeps& deps) {
  const RecordValues values(options.value_bytes, deps.random);
  BatchSource source(values, deps.clock);
  CeilingResult result;
  TALOSMQ_ASSIGN_OR_RETURN(result.built,
                           SendBatches(client, options, deps, [&source](int64_t records_max) {
                             return source.Next(records_max);
                           }));
  TALOSMQ_ASSIGN_OR_RETURN(result.prebuilt, SendPrebuilt(client, source, options, deps));
  return result;
}

}  // namespace

absl::StatusOr<CeilingResult> RunCeiling(const CeilingOptions& options, io::FileSystem& file_system,
                                         const BenchDeps& deps) {
  const std::string path =
      options.directory + absl::StrFormat("/talosmq-ceiling-%016x.tmp", deps.random.Next());
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<CeilingLog> log,
                           CeilingLog::Create(file_system, path));
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<CeilingServer> server, CeilingServer::Start(*log));
  absl::StatusOr<CeilingResult> result;
  {
    TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<CeilingClient> client,
                             CeilingClient::Connect(server->address(), deps.clock));
    result = Measure(*client, options, deps);
  }
  // What the server side says comes nearer to the cause than a stream that ended.
  TALOSMQ_RETURN_IF_ERROR(server->Stop());
  return result;
}

}  // namespace talosmq::loadgen
