#include "client/records_taken.h"

#include <algorithm>

namespace talosmq::client {

void TellRecordsTaken(ClientMetrics* metrics, std::string_view topic, const FetchedChunk& chunk,
                      const DecodedChunk& decoded) {
  if (metrics == nullptr || chunk.records.empty()) return;
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

}  // namespace talosmq::client
