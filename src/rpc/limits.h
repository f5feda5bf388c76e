#pragma once

#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>

namespace talosmq::rpc {

// What one client may make the gRPC front hold, and what the transport is told. Behind each bound
// stands what happens when it is met.

/// A larger message ends its call with RESOURCE_EXHAUSTED before it is read.
inline constexpr int kReceiveBytesMax = 24 << 20;
/// Calls of one connection at a time; HTTP/2 lets further ones wait at the client.
inline constexpr int kConcurrentStreamsMax = 1000;
/// Headers of one call; more ends it.
inline constexpr int kMetadataBytesMax = 16 << 10;
inline constexpr absl::Duration kHandshakeTimeout = absl::Seconds(10);
/// When the kernel cannot give a connection, it is asked again after so long.
inline constexpr absl::Duration kAcceptBackoff = absl::Milliseconds(100);
/// An idle connection is asked after the first, and dropped when no answer comes in the second.
inline constexpr absl::Duration kKeepaliveTime = absl::Seconds(60);
inline constexpr absl::Duration kKeepaliveTimeout = absl::Seconds(20);
/// A client that pings more often than this without sending data is disconnected.
inline constexpr absl::Duration kPingIntervalMin = absl::Seconds(5);
/// Of all connections together, in gRPC's own buffers; reading slows down when it is used up.
inline constexpr size_t kTransportBytesMax = size_t{512} << 20;
/// Threads of gRPC's synchronous server, which runs nothing but the reflection service.
inline constexpr int kSyncThreadsMax = 8;
/// Larger frames and reads cost less CPU a byte, and delay other streams of the connection more.
inline constexpr int kFrameBytesMax = 1 << 20;
inline constexpr int kReadChunkBytes = 256 << 10;

/// Of any message without records. Parsing multiplies the size by up to 40.
inline constexpr size_t kControlBytesMax = size_t{1} << 20;
/// Partitions that one message may name; more is refused as a whole.
inline constexpr int kPartitionsPerMessageMax = 10'000;
/// The same for topics, each of which may have 10,000 partitions.
inline constexpr int kTopicsPerMessageMax = 1000;
/// Partitions of one call that the broker is asked about at a time; the others wait.
inline constexpr int kPartitionQueriesMax = 64;
/// Labels that one listing filters by.
inline constexpr int kLabelFiltersMax = 64;
/// Words of one error as they travel; the rest is cut.
inline constexpr size_t kErrorMessageBytesMax = 1024;

/// What the listener holds for all its clients, each of which may hold as much as is still free;
/// beyond it the answer is kOverloaded. See ListenerBudget.
///
/// Records: batches from their arrival until they are answered, subscriptions and long polls, and
/// answers from the read until gRPC has sent their last byte, however slowly a client reads. The
/// bytes are GrpcFrontOptions::record_bytes_max, so that what is not durable yet fits the tail
/// cache.
inline constexpr int64_t kRecordEntriesMax = 400'000;
/// Memory of a batch or subscription beside its bytes.
inline constexpr int64_t kEntryBytes = 256;
/// All other unary calls with their requests, as parsed, and their answers until they are sent.
inline constexpr int64_t kCallEntriesMax = 4096;
inline constexpr int64_t kCallBytesMax = int64_t{128} << 20;
/// Heartbeats of group members, which wait for a change of what is assigned, and their answers
/// until they are sent.
inline constexpr int64_t kHeartbeatEntriesMax = 100'000;
inline constexpr int64_t kHeartbeatBytesMax = int64_t{128} << 20;
/// While so many answers to heartbeats of one stream wait to be sent, it is not read; what was read
/// before adds to them, within the budget. Bytes of those that one message takes, unless it is one.
inline constexpr size_t kUnsentHeartbeatsMax = 10'000;
inline constexpr size_t kHeartbeatMessageBytesMax = size_t{1} << 20;
/// Refusals of one stream that wait to be sent and hold no share of the budget, because there was
/// none left: as many as clients may put into one message. While there is one, the stream is not
/// read; one more ends it with kOverloaded.
inline constexpr int64_t kUncoveredRefusalsMax = 256;
/// Memory of one partition in an answer of DescribeTopic while it is made.
inline constexpr int64_t kDescribedPartitionBytes = 512;
/// What a refused client is asked to wait.
inline constexpr absl::Duration kRetryAfterDefault = absl::Milliseconds(100);

/// A produce stream is not read while so many bytes, or batches, of it wait for their answer to be
/// sent. One more message may be above it.
inline constexpr int64_t kUnansweredBytesMax = int64_t{32} << 20;
inline constexpr int64_t kUnansweredBatchesMax = 20'000;
/// Acknowledgements put into one message.
inline constexpr size_t kAcksPerMessageMax = 1000;

/// Subscriptions of one fetch stream; one more ends the stream. While as many answers wait to be
/// sent, the stream is not read.
inline constexpr size_t kSubscriptionsMax = 20'000;
/// Credit beyond it is not counted.
inline constexpr int64_t kCreditBytesMax = int64_t{1} << 40;
/// Asked from the broker at once for one partition, and put into one message of several.
inline constexpr int64_t kFetchBytesMax = int64_t{1} << 20;
/// Of one fetch stream: read or being read and not yet sent. One more fetch may be above it.
inline constexpr int64_t kFetchAheadBytesMax = int64_t{4} << 20;
/// After it a waiting fetch is asked anew.
inline constexpr absl::Duration kStreamFetchWait = absl::Minutes(10);

/// FetchOnce without bytes_max, and its bounds.
inline constexpr int64_t kFetchOnceBytesDefault = int64_t{1} << 20;
inline constexpr int64_t kFetchOnceBytesMax = int64_t{16} << 20;
inline constexpr absl::Duration kFetchOnceWaitMax = absl::Minutes(1);

/// What a stop waits for calls under way before it cancels them.
inline constexpr absl::Duration kDrainTimeout = absl::Seconds(5);

}  // namespace talosmq::rpc
