#pragma once

#include "client/chunk_decoder.h"
#include "client/fetched_chunk.h"
#include "talosmq/metrics.h"

#include <string_view>

namespace talosmq::client {

/// Tells the application's metrics, unless it has none, what it is about to be given of a chunk.
void TellRecordsTaken(ClientMetrics* metrics, std::string_view topic, const FetchedChunk& chunk,
                      const DecodedChunk& decoded);

/// Tells the application, if it wants to know, what was left out of a chunk.
void TellSkipped(const ConsumerOptions& options, const DecodedChunk& decoded);

}  // namespace talosmq::client
