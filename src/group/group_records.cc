#include "group/group_records.h"

#include "base/crc32c.h"
#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <array>
#include <type_traits>
#include <utility>

namespace talosmq::group {
namespace {

constexpr size_t kKeyTextMax = 120;  ///< Of a key in an error.

enum class KeyKind : uint8_t { kOffset = 1, kGroup = 2, kMember = 3 };

class Writer {
 public:
  template <std::integral T>
  void Put(T value) {
    const size_t at = bytes_.size();
    bytes_.resize(at + sizeof(T));
    base::StoreBigEndian(reinterpret_cast<std::byte*>(&bytes_[at]), value);
  }
  template <typename E>
  requires std::is_enum_v<E>
  void Put(E value) { Put(static_cast<std::underlying_type_t<E>>(value)); }
  void Put(std::string_view text) {
    Put(static_cast<uint32_t>(text.size()));
    bytes_ += text;
  }
  void Put(const std::string& text) { Put(std::string_view(text)); }
  void Put(const TopicPartition& partition) {
    bytes_ += partition.topic_id.bytes();
    Put(partition.partition.value());
  }
  void Put(absl::Time time) { Put(absl::ToUnixNanos(time)); }
  void Put(absl::Duration duration) { Put(absl::ToInt64Nanoseconds(duration)); }
  void Put(const OwnedPartition& owned) {
    Put(owned.partition);
    Put(owned.since);
    Put(owned.claim);
  }
  void Put(const std::pair<const std::string, std::string>& entry) {
    Put(entry.first);
    Put(entry.second);
  }
  template <typename List>
  void PutList(const List& list) {
    Put(static_cast<uint32_t>(list.size()));
    for (const auto& item : list) Put(item);
  }

  std::string Take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

/// Takes fields off the front of bytes that may be anything. The first one that is not there, or
/// not sound, is remembered, and from then on nothing is read.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  const std::string& fault() const { return fault_; }
  void Expect(bool holds, std::string_view what) {
    if (!holds && fault_.empty()) fault_ = base::StrCat(what, " is not sound");
  }
  void ExpectEnd() {
    if (fault_.empty() && !rest_.empty()) {
      fault_ = base::StrCat("expected the end, found ", rest_.size(), " more bytes");
    }
  }

  template <std::integral T>
  T Number(std::string_view what) {
    const std::string_view bytes = Bytes(sizeof(T), what);
    return bytes.empty() ? T{} : base::LoadBigEndian<T>(base::AsBytes(bytes).data());
  }
  template <std::integral T>
  T NumberFrom(T least, std::string_view what) {
    const T value = Number<T>(what);
    Expect(value >= least, what);
    return fault_.empty() ? value : least;
  }
  template <typename E>
  E EnumUpTo(E last, std::string_view what) {
    const auto value = Number<std::underlying_type_t<E>>(what);
    Expect(value <= static_cast<std::underlying_type_t<E>>(last), what);
    return fault_.empty() ? static_cast<E>(value) : last;
  }
  std::string Text(std::string_view what) {
    const auto size = Number<uint32_t>(what);
    return std::string(Bytes(size, what));
  }
  TopicPartition Partition(std::string_view what) {
    const std::string_view id = Bytes(sizeof(std::array<uint8_t, 16>), what);
    return {.topic_id = TopicId::FromBytes(id).value_or(TopicId()),
            .partition = PartitionId(NumberFrom<int32_t>(0, what))};
  }
  absl::Time Time(std::string_view what) { return absl::FromUnixNanos(Number<int64_t>(what)); }
  absl::Duration Duration(std::string_view what) {
    return absl::Nanoseconds(NumberFrom<int64_t>(0, what));
  }
  /// Calls `item` for each of a counted list. A count that lies ends with the bytes.
  template <typename Item>
  void List(std::string_view what, Item item) {
    const auto count = Number<uint32_t>(what);
    for (uint32_t i = 0; i < count && fault_.empty(); ++i) item();
  }

 private:
  /// Nothing when there are not so many.
  std::string_view Bytes(size_t size, std::string_view what) {
    if (fault_.empty() && rest_.size() < size) fault_ = base::StrCat(what, " is cut off");
    if (!fault_.empty()) return {};
    const std::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  std::string_view rest_;
  std::string fault_;
};

void PutKey(Writer& to, const OffsetKey& key) {
  to.Put(KeyKind::kOffset);
  to.Put(key.group);
  to.Put(key.partition);
}

void PutKey(Writer& to, const GroupKey& key) {
  to.Put(KeyKind::kGroup);
  to.Put(key.group);
}

void PutKey(Writer& to, const MemberKey& key) {
  to.Put(KeyKind::kMember);
  to.Put(key.group);
  to.Put(key.member);
}

void PutValue(Writer& to, const CommittedOffset& value) {
  to.Put(value.offset.value());
  to.Put(value.epoch.value());
  to.Put(value.committed);
  to.Put(value.producer.value());
  to.Put(value.producer_epoch);
  to.Put(value.metadata);
}

void PutValue(Writer& to, const GroupRecord& value) {
  to.Put(value.kind);
  to.Put(value.generation);
  to.Put(value.assignor);
  to.Put(value.phase);
  to.Put(value.emptied);
  to.Put(value.protocol_type);
  to.Put(value.protocol);
  to.Put(value.leader);
}

void PutValue(Writer& to, const MemberRecord& value) {
  to.Put(value.joined);
  to.Put(value.lease);
  to.Put(value.rebalance_timeout);
  to.Put(value.instance_id);
  to.Put(value.client_id);
  to.Put(value.host);
  to.PutList(value.topics);
  to.PutList(value.patterns);
  to.PutList(value.owned);
  to.PutList(value.protocols);
  to.PutList(value.preference);
  to.Put(value.assignment);
  to.Put(value.presence);
}

Key ReadKey(Reader& from) {
  switch (from.EnumUpTo(KeyKind::kMember, "kind")) {
    case KeyKind::kOffset: {
      std::string group = from.Text("group");
      return OffsetKey{.group = std::move(group), .partition = from.Partition("partition")};
    }
    case KeyKind::kGroup:
      return GroupKey{.group = from.Text("group")};
    case KeyKind::kMember: {
      std::string group = from.Text("group");
      return MemberKey{.group = std::move(group), .member = from.Text("member")};
    }
  }
  from.Expect(false, "kind");
  return GroupKey{};
}

CommittedOffset ReadOffset(Reader& from) {
  CommittedOffset value;
  value.offset = Offset(from.NumberFrom<int64_t>(0, "offset"));
  value.epoch = LeaderEpoch(from.NumberFrom<int32_t>(-1, "epoch"));
  value.committed = from.Time("time of the commit");
  value.producer = ProducerId(from.NumberFrom<int64_t>(-1, "producer"));
  value.producer_epoch = from.NumberFrom<int16_t>(-1, "producer epoch");
  value.metadata = from.Text("metadata");
  return value;
}

GroupRecord ReadGroup(Reader& from) {
  GroupRecord value;
  value.kind = from.EnumUpTo(GroupKind::kClassic, "kind of group");
  value.generation = from.NumberFrom<int32_t>(0, "generation");
  value.assignor = from.EnumUpTo(Assignor::kLagAware, "assignor");
  value.phase = from.EnumUpTo(ClassicPhase::kStable, "phase");
  value.emptied = from.Time("time of the last member");
  value.protocol_type = from.Text("protocol type");
  value.protocol = from.Text("protocol");
  value.leader = from.Text("leader");
  return value;
}

void ReadOwned(Reader& from, std::vector<OwnedPartition>& owned) {
  from.List("owned partitions", [&] {
    const TopicPartition partition = from.Partition("owned partition");
    from.Expect(owned.empty() || owned.back().partition < partition, "order of owned partitions");
    owned.push_back({.partition = partition, .since = from.NumberFrom<int32_t>(0, "owned since")});
    owned.back().claim = from.EnumUpTo(Claim::kReclaimed, "claim");
  });
}

void ReadProtocols(Reader& from, std::map<std::string, std::string>& protocols) {
  from.List("protocols", [&] {
    std::string name = from.Text("protocol");
    from.Expect(protocols.empty() || protocols.rbegin()->first < name, "order of protocols");
    protocols.emplace_hint(protocols.end(), std::move(name), from.Text("protocol metadata"));
  });
}

MemberRecord ReadMember(Reader& from) {
  MemberRecord value;
  value.joined = from.NumberFrom<int64_t>(0, "number of the member");
  value.lease = from.Duration("lease");
  value.rebalance_timeout = from.Duration("rebalance timeout");
  value.instance_id = from.Text("instance id");
  value.client_id = from.Text("client id");
  value.host = from.Text("host");
  from.List("topics", [&] { value.topics.push_back(from.Text("topic")); });
  from.List("patterns", [&] { value.patterns.push_back(from.Text("pattern")); });
  ReadOwned(from, value.owned);
  ReadProtocols(from, value.protocols);
  from.List("preference", [&] { value.preference.push_back(from.Text("preferred protocol")); });
  value.assignment = from.Text("assignment");
  value.presence = from.EnumUpTo(Presence::kVacant, "presence");
  return value;
}

absl::Status Fault(std::string_view key, std::string_view what) {
  return MakeError(
      Reason::kCorruptData,
      base::StrCat("group record with key \"", base::Printable(key, kKeyTextMax), "\": ", what));
}

absl::Status CheckVersion(std::string_view key, std::string_view bytes, std::string_view what) {
  if (bytes.empty()) return Fault(key, base::StrCat("the ", what, " is empty"));
  const auto version = static_cast<uint8_t>(bytes.front());
  if (version == 0) return Fault(key, base::StrCat("version of the ", what, " is 0"));
  if (version <= kGroupRecordVersion) return absl::OkStatus();
  return MakeError(Reason::kUnsupportedVersion,
                   base::StrCat("group record with key \"", base::Printable(key, kKeyTextMax),
                                "\": expected version ", kGroupRecordVersion, " of the ", what,
                                ", found ", version));
}

/// The value behind its version byte; nothing for a tombstone.
template <typename Read>
auto ReadValue(const std::optional<std::string_view>& value, Read read, std::string& fault) {
  std::optional<std::invoke_result_t<Read, Reader&>> record;
  if (!value.has_value()) return record;
  Reader from(value->substr(1));
  record = read(from);
  from.ExpectEnd();
  fault = from.fault();
  return record;
}

}  // namespace

PartitionId PartitionOfGroup(std::string_view group) {
  return PartitionId(
      static_cast<int32_t>(base::Crc32c(base::AsBytes(group)) % uint32_t{kOffsetsPartitions}));
}

EncodedChange Encode(const Change& change) {
  return std::visit(
      [](const auto& typed) {
        Writer key;
        key.Put(kGroupRecordVersion);
        PutKey(key, typed.key);
        if (!typed.value) return EncodedChange{.key = key.Take(), .value = std::nullopt};
        Writer value;
        value.Put(kGroupRecordVersion);
        PutValue(value, *typed.value);
        return EncodedChange{.key = key.Take(), .value = value.Take()};
      },
      change);
}

absl::StatusOr<Change> Decode(std::string_view key, const std::optional<std::string_view>& value) {
  TALOSMQ_RETURN_IF_ERROR(CheckVersion(key, key, "key"));
  Reader from(key.substr(1));
  Key decoded = ReadKey(from);
  from.ExpectEnd();
  if (!from.fault().empty()) return Fault(key, base::StrCat("in the key: ", from.fault()));
  if (value) TALOSMQ_RETURN_IF_ERROR(CheckVersion(key, *value, "value"));

  std::string fault;
  Change change;
  if (auto* const offset = std::get_if<OffsetKey>(&decoded)) {
    change = OffsetChange{.key = std::move(*offset), .value = ReadValue(value, ReadOffset, fault)};
  } else if (auto* const group = std::get_if<GroupKey>(&decoded)) {
    change = GroupChange{.key = std::move(*group), .value = ReadValue(value, ReadGroup, fault)};
  } else {
    change = MemberChange{.key = std::move(std::get<MemberKey>(decoded)),
                          .value = ReadValue(value, ReadMember, fault)};
  }
  if (!fault.empty()) return Fault(key, base::StrCat("in the value: ", fault));
  return change;
}

}  // namespace talosmq::group
