#include "client/records_taken.h"

#include <algorithm>

namespace talosmq::client {

void TellRecordsTaken(ClientMetrics* metrics, std::string_view topic, const FetchedChunk& chunk,
                      const DecodedChunk& decoded) {
  const bool is_news_only = chunk.records.empty() && decoded.skipped_records == 0;
  if (metrics == nullptr || is_news_only) return;
  RecordsTaken taken{.topic = topic,
                     .partition = chunk.partition,
                     .bytes = static_cast<int64_t>(chunk.records.size()),
                     .skipped_records = decoded.skipped_records,
                     .lag_records = std::max(chunk.high_watermark - decoded.position, int64_t{0})};
  for (const RecordBatchView& batch : decoded.batches) {
    taken.records += static_cast<int64_t>(batch.records().size());
  }
  metrics->OnRecordsTaken(taken);
}

void TellSkipped(const ConsumerOptions& options, const DecodedChunk& decoded) {
  if (!options.on_skipped) return;
  for (const SkippedOffsets& skipped : decoded.skipped) options.on_skipped(skipped);
}

}  // namespace talosmq::client
