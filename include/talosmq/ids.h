#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq {

/// A number that stands for one kind of thing and mixes with no other.
/// Only ordering is defined; what arithmetic has a meaning is defined beside the alias.
template <typename Tag, typename Rep>
class StrongId {
 public:
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  constexpr Rep value() const { return value_; }
  friend constexpr auto operator<=>(StrongId, StrongId) = default;

  template <typename H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value_);
  }

 private:
  Rep value_{};
};

/// Logical place of a record in its partition: 0 for the first, dense, never renumbered.
using Offset = StrongId<struct OffsetTag, int64_t>;
constexpr Offset operator+(Offset offset, int64_t count) { return Offset(offset.value() + count); }
constexpr int64_t operator-(Offset a, Offset b) { return a.value() - b.value(); }

/// Number of a partition within its topic, from 0.
using PartitionId = StrongId<struct PartitionIdTag, int32_t>;

/// Number of a broker within its cluster, from 0.
using BrokerId = StrongId<struct BrokerIdTag, int32_t>;

/// Term of one leader incarnation of one partition. Higher is newer; -1 is "not known".
using LeaderEpoch = StrongId<struct LeaderEpochTag, int32_t>;
inline constexpr LeaderEpoch kNoEpoch{-1};

/// Identity of one idempotent producer; -1 is "none".
using ProducerId = StrongId<struct ProducerIdTag, int64_t>;
inline constexpr ProducerId kNoProducer{-1};

/// UUID of a topic. A topic re-created under the same name has another id.
class TopicId {
 public:
  constexpr TopicId() = default;
  constexpr explicit TopicId(std::array<uint8_t, 16> bytes) : bytes_(bytes) {}

  /// The 16 raw bytes as they travel on the wire; nothing for another length.
  static std::optional<TopicId> FromBytes(std::string_view bytes);
  /// Reads the form of ToString(); nothing for any other text.
  static std::optional<TopicId> Parse(std::string_view text);

  /// 32 lower-case hex digits in the usual 8-4-4-4-12 groups.
  std::string ToString() const;
  std::string_view bytes() const;
  bool is_nil() const { return *this == TopicId(); }

  friend constexpr auto operator<=>(const TopicId&, const TopicId&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const TopicId& id) {
    return H::combine(std::move(h), id.bytes_);
  }

 private:
  std::array<uint8_t, 16> bytes_{};
};

/// One partition of one topic incarnation: what every data request names.
struct TopicPartition {
  TopicId topic_id;
  PartitionId partition;

  /// "<topic id>/<partition>", as the log's folder is called below topics/.
  std::string ToString() const;
  /// Reads the form of ToString(); nothing for any other text.
  static std::optional<TopicPartition> Parse(std::string_view text);
  friend constexpr auto operator<=>(const TopicPartition&, const TopicPartition&) = default;

  template <typename H>
  friend H AbslHashValue(H h, const TopicPartition& p) {
    return H::combine(std::move(h), p.topic_id, p.partition);
  }
};

}  // namespace talosmq
