#include "client/polled_partition.h"

#include "base/status.h"
#include "client/chunk_decoder.h"
#include "client/records_taken.h"

#include <utility>

namespace talosmq::client {

TakenChunk TakeChunk(const FetchedChunk& chunk, const TopicImage& topic,
                     const ConsumerOptions& options, ClientMetrics* metrics,
                     PolledPartition& partition) {
  TakenChunk taken;
  if (partition.generation != chunk.generation || partition.has_stopped) return taken;
  if (!chunk.status.ok()) {
    partition.has_stopped = true;
    taken.status = chunk.status;
    return taken;
  }
  if (chunk.moved_to.has_value()) {
    partition.position = *chunk.moved_to;
    return taken;
  }
  partition.high_watermark = chunk.high_watermark;
  DecodedChunk decoded = DecodeChunk(topic.id, chunk, partition.position, options.on_corrupt);
  partition.position = decoded.position;
  taken.skipped_records = decoded.skipped_records;
  TellRecordsTaken(metrics, topic.name, chunk, decoded);
  taken.skipped = std::move(decoded.skipped);
  taken.batches = std::move(decoded.batches);
  if (!decoded.status.ok()) {
    partition.has_stopped = true;
    taken.must_halt = true;
    taken.status = base::Annotate(decoded.status, "topic " + topic.name);
  }
  return taken;
}

}  // namespace talosmq::client
