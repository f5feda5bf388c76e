#include "support/checkers.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <optional>
#include <utility>

namespace talosmq::support {
namespace {

absl::Status Violation(std::string_view guarantee, const TopicPartition& partition, Offset offset,
                       std::string_view what) {
  return MakeError(Reason::kInternal, base::StrCat(guarantee, " broken at ", partition.ToString(),
                                                   " offset ", offset.value(), ": ", what));
}

/// Every expected record stands in the log.
absl::Status CheckHolds(std::string_view guarantee, const TopicPartition& partition,
                        const std::map<Offset, std::string>& expected,
                        const std::vector<ReadRecord>& log) {
  std::map<Offset, std::string_view> found;
  for (const ReadRecord& record : log) found.emplace(record.offset, record.value);
  for (const auto& [offset, value] : expected) {
    const auto place = found.find(offset);
    if (place == found.end()) {
      return Violation(guarantee, partition, offset, base::StrCat("'", value, "' is gone"));
    }
    if (place->second != value) {
      return Violation(guarantee, partition, offset,
                       base::StrCat("expected '", value, "', found '", place->second, "'"));
    }
  }
  return absl::OkStatus();
}

template <typename Map>
const typename Map::mapped_type& OrEmpty(const Map& map, const TopicPartition& partition) {
  static const typename Map::mapped_type kEmpty;
  const auto found = map.find(partition);
  return found == map.end() ? kEmpty : found->second;
}

}  // namespace

void DurableChecker::Acknowledged(const TopicPartition& partition, Offset offset,
                                  std::string value) {
  acknowledged_[partition].emplace(offset, std::move(value));
}

void DurableChecker::Trimming(const TopicPartition& partition, Offset log_start) {
  auto& records = acknowledged_[partition];
  records.erase(records.begin(), records.lower_bound(log_start));
}

absl::Status DurableChecker::Check(const TopicPartition& partition,
                                   const std::vector<ReadRecord>& log) const {
  return CheckHolds("G1", partition, OrEmpty(acknowledged_, partition), log);
}

size_t DurableChecker::acknowledged() const {
  size_t count = 0;
  for (const auto& [partition, records] : acknowledged_) count += records.size();
  return count;
}

absl::Status CommittedReadsChecker::Read(const TopicPartition& partition,
                                         const std::vector<ReadRecord>& records,
                                         Offset high_watermark) {
  for (const ReadRecord& record : records) {
    if (record.offset >= high_watermark) {
      return Violation("G2", partition, record.offset,
                       base::StrCat("read at high watermark ", high_watermark.value()));
    }
    const auto seen = seen_[partition].emplace(record.offset, record.value).first;
    if (seen->second != record.value) {
      return Violation("G2", partition, record.offset,
                       base::StrCat("was '", seen->second, "', is '", record.value, "'"));
    }
  }
  return absl::OkStatus();
}

absl::Status CommittedReadsChecker::Check(const TopicPartition& partition,
                                          const std::vector<ReadRecord>& log) const {
  return CheckHolds("G2", partition, OrEmpty(seen_, partition), log);
}

void OrderChecker::Sent(const TopicPartition& partition, std::string value) {
  auto& places = places_[partition];
  places.emplace(std::move(value), places.size());
}

absl::Status OrderChecker::Check(const TopicPartition& partition, Offset log_start,
                                 const std::vector<ReadRecord>& log) const {
  const auto& places = OrEmpty(places_, partition);
  Offset expected = log_start;
  std::optional<size_t> last_place;
  for (const ReadRecord& record : log) {
    if (record.offset != expected) {
      return Violation("G3", partition, record.offset,
                       base::StrCat("expected offset ", expected.value()));
    }
    expected = expected + 1;
    const auto place = places.find(record.value);
    if (place == places.end()) {
      return Violation("G3", partition, record.offset,
                       base::StrCat("nobody has sent '", record.value, "'"));
    }
    if (last_place.has_value() && place->second <= *last_place) {
      return Violation("G3", partition, record.offset,
                       base::StrCat("'", record.value, "' comes again or too late"));
    }
    last_place = place->second;
  }
  return absl::OkStatus();
}

void RefusedChecker::Refused(const TopicPartition& partition, std::string value) {
  refused_[partition].insert(std::move(value));
}

absl::Status RefusedChecker::Check(const TopicPartition& partition,
                                   const std::vector<ReadRecord>& log) const {
  const auto& refused = OrEmpty(refused_, partition);
  for (const ReadRecord& record : log) {
    if (!refused.contains(record.value)) continue;
    return Violation("a refusal", partition, record.offset,
                     base::StrCat("'", record.value, "' was said not to be stored"));
  }
  return absl::OkStatus();
}

void DamageChecker::Acknowledged(const TopicPartition& partition, Offset offset,
                                 std::string value) {
  acknowledged_[partition].emplace(offset, std::move(value));
}

absl::Status DamageChecker::Check(const TopicPartition& partition,
                                  const std::vector<ReadRecord>& log,
                                  const std::vector<CorruptRange>& refused) const {
  std::map<Offset, std::string> expected = OrEmpty(acknowledged_, partition);
  for (const CorruptRange& range : refused) {
    for (const ReadRecord& record : log) {
      if (record.offset < range.first || record.offset >= range.next) continue;
      return Violation("G8", partition, record.offset, "it is served and refused");
    }
    expected.erase(expected.lower_bound(range.first), expected.lower_bound(range.next));
  }
  return CheckHolds("G8", partition, expected, log);
}

void DeletionChecker::Created(std::string name, const TopicId& id) {
  created_.emplace(id, std::move(name));
}

void DeletionChecker::Stored(const TopicPartition& log) { stored_.insert(log); }
void DeletionChecker::Deleting(const TopicId& id) { deleting_.insert(id); }
void DeletionChecker::Deleted(const TopicId& id) { deleted_.insert(id); }

absl::Status DeletionChecker::Check(const Found& found) const {
  const auto violation = [](const auto&... what) {
    return MakeError(Reason::kInternal, base::StrCat("G10 broken: ", what...));
  };
  for (const auto& [id, name] : created_) {
    if (deleting_.contains(id)) continue;
    const auto topic = found.topics.find(name);
    if (topic == found.topics.end() || topic->second != id) {
      return violation("topic '", name, "' (", id.ToString(), ") is gone, and nobody deleted it");
    }
  }
  for (const TopicPartition& log : stored_) {
    if (deleting_.contains(log.topic_id) || found.folders.contains(log)) continue;
    return violation("log ", log.ToString(), " is gone, and nobody deleted it");
  }
  for (const auto& [name, id] : found.topics) {
    if (deleted_.contains(id)) return violation("topic '", name, "' is deleted and can be seen");
  }
  for (const TopicPartition& log : found.folders) {
    if (deleted_.contains(log.topic_id)) {
      return violation("log ", log.ToString(), " is there, and its topic is deleted");
    }
  }
  return absl::OkStatus();
}

}  // namespace talosmq::support
