#pragma once

#include "talosmq/ids.h"

#include "absl/time/time.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq {

/// A header as it was sent: keys may repeat, order is kept, a value may be absent.
struct Header {
  std::string_view key;
  std::optional<std::string_view> value = std::nullopt;
};

/// A record to be sent. Views: Producer::Send copies what they point to before it returns.
struct Record {
  std::optional<std::string_view> key = std::nullopt;
  std::optional<std::string_view> value = std::nullopt;
  std::span<const Header> headers = {};
  /// When it happened, of which whole milliseconds are kept; nothing: the moment of Send, as far as
  /// the machine's timer tick tells (10 ms at most).
  std::optional<absl::Time> timestamp = std::nullopt;
};

/// A record that was read: views into the batch that its RecordBatchView holds.
struct ConsumedRecord {
  Offset offset;
  absl::Time timestamp;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::vector<Header> headers;
};

/// How a producer packs the records of a batch; the server stores and serves what it packed.
enum class Compression { kNone, kGzip, kSnappy, kLz4, kZstd };

}  // namespace talosmq
