#include "talosmq/partition_reader.h"

#include "base/status.h"
#include "base/text.h"
#include "client/chunk_decoder.h"
#include "client/error_message.h"
#include "client/offset_lookup.h"
#include "client/option_checks.h"
#include "client/pending_result.h"
#include "client/records_taken.h"
#include "client/retry.h"
#include "client/topic_lookup.h"
#include "talosmq/error.h"
#include "talosmq/v1/message.pb.h"

#include <algorithm>
#include <utility>

namespace talosmq {
namespace {

using client::FetchedChunk;

/// The one partition that was asked for.
absl::StatusOr<FetchedChunk> ReadAnswer(PartitionId partition,
                                        const absl::StatusOr<v1::FetchResponse>& response) {
  if (!response.ok()) return response.status();
  if (response->partitions_size() != 1) {
    return MakeError(Reason::kInternal, base::StrCat("fetch: expected one partition, found ",
                                                     response->partitions_size()));
  }
  const v1::FetchedPartition& fetched = response->partitions(0);
  if (fetched.has_error()) return client::StatusOf(fetched.error());
  return FetchedChunk{.partition = partition,
                      .generation = 0,
                      .status = absl::OkStatus(),
                      .moved_to = std::nullopt,
                      .high_watermark = Offset(fetched.high_watermark()),
                      .next_offset = Offset(fetched.next_offset()),
                      .records = base::Buffer::CopyOf(base::AsBytes(fetched.records()))};
}

/// Thread-safe: nothing in it changes.
class BlockingPartitionReader final : public PartitionReader {
 public:
  BlockingPartitionReader(client::ClientCore& client, client::TopicImagePtr topic,
                          PartitionId partition)
      : client_(client), topic_(std::move(topic)), partition_(partition) {}

  absl::StatusOr<FetchedRecords> FetchOnce(Offset from, const FetchOnceOptions& options) override {
    TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
    const absl::Duration deadline = client_.clock().Monotonic() + options.wait;
    int64_t refused_offsets = 0;  // By the server, and passed over.
    while (true) {
      const absl::Duration left =
          std::max(deadline - client_.clock().Monotonic(), absl::ZeroDuration());
      absl::StatusOr<FetchedRecords> records = FetchWithin(left, from, options);
      const std::optional<CorruptRange> damaged = CorruptRangeOf(records.status());
      if (damaged && damaged->next > from && options.on_corrupt == OnCorrupt::kSkip) {
        refused_offsets += damaged->next - from;
        from = damaged->next;
        continue;
      }
      if (!records.ok()) return base::Annotate(records.status(), Where());
      records->skipped_records += refused_offsets;
      const bool is_over = client_.clock().Monotonic() >= deadline;
      if (is_over || !records->batches.empty() || records->skipped_records > 0) return records;
      from = records->next_offset;
    }
  }

  absl::StatusOr<Offset> FindOffset(Position position) override {
    client::PendingResult<absl::StatusOr<std::vector<Offset>>> found;
    client::FindOffsets(client_, topic_->id, {{.partition = partition_, .position = position}},
                        found.callback());
    const absl::StatusOr<std::vector<Offset>> offsets = found.Wait();
    if (!offsets.ok()) return base::Annotate(offsets.status(), "topic " + topic_->name);
    return offsets->front();
  }

 private:
  std::string Where() const {
    return base::StrCat("topic ", topic_->name, " partition ", partition_.value());
  }

  /// One question, which the server may keep for `wait`, but not until it is taken for dead.
  absl::StatusOr<FetchedRecords> FetchWithin(absl::Duration wait, Offset from,
                                             const FetchOnceOptions& options) {
    v1::FetchOnceRequest request;
    v1::Subscription& wanted = *request.add_partitions();
    wanted.set_topic_id(std::string(topic_->id.bytes()));
    wanted.set_partition(partition_.value());
    wanted.set_offset(from.value());
    request.set_bytes_max(static_cast<uint32_t>(options.bytes_max));
    request.set_wait_ms(static_cast<uint32_t>(
        absl::ToInt64Milliseconds(std::min(wait, client_.answer_wait_max() / 2))));

    client::PendingResult<absl::StatusOr<FetchedChunk>> fetched;
    client_.executor().Post([this, request, done = fetched.callback()]() mutable {
      client::Retry<FetchedChunk>::Start(
          client_,
          [this, request](client::Retry<FetchedChunk>::Done answer) {
            client_.CallTyped<v1::FetchResponse>(
                "/talosmq.v1.MessageService/FetchOnce", request, client::CallPolicy::kAnyServer,
                [partition = partition_, answer = std::move(answer)](
                    const absl::StatusOr<v1::FetchResponse>& response) mutable {
                  answer(ReadAnswer(partition, response));
                });
          },
          std::move(done));
    });
    TALOSMQ_ASSIGN_OR_RETURN(const FetchedChunk chunk, fetched.Wait());
    client::DecodedChunk decoded = client::DecodeChunk(topic_->id, chunk, from, options.on_corrupt);
    client::TellRecordsTaken(client_.metrics(), topic_->name, chunk, decoded);
    // What stands before the first unreadable batch is given; the next fetch meets the error.
    if (!decoded.status.ok() && decoded.batches.empty()) return decoded.status;
    return FetchedRecords{.batches = std::move(decoded.batches),
                          .next_offset = decoded.position,
                          .high_watermark = chunk.high_watermark,
                          .skipped_records = decoded.skipped_records};
  }

  client::ClientCore& client_;
  const client::TopicImagePtr topic_;
  const PartitionId partition_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PartitionReader>> PartitionReader::Create(Client& client,
                                                                         std::string topic,
                                                                         PartitionId partition) {
  TALOSMQ_ASSIGN_OR_RETURN(client::TopicImagePtr image,
                           client::FindTopic(client.core(), std::move(topic)));
  const auto partitions = static_cast<int32_t>(image->partitions.size());
  if (partition.value() < 0 || partition.value() >= partitions) {
    return MakeError(Reason::kUnknownPartition,
                     base::StrCat("topic ", image->name, ": expected a partition from 0 to ",
                                  partitions - 1, ", found ", partition.value()));
  }
  return std::make_unique<BlockingPartitionReader>(client.core(), std::move(image), partition);
}

}  // namespace talosmq
