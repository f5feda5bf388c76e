#include "metadata/keys.h"

#include "base/text.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include <optional>

namespace talosmq::metadata {
namespace {

constexpr size_t kNumberDigits = 10;
constexpr size_t kIdText = 36;

std::string NumberText(int32_t number) { return absl::StrFormat("%010d", number); }

std::optional<int32_t> ParseNumber(std::string_view text) {
  int32_t number = 0;
  if (!absl::SimpleAtoi(base::ToAbsl(text), &number) || number < 0) return std::nullopt;
  // One text for each number, so that no key has a second form.
  if (text != NumberText(number)) return std::nullopt;
  return number;
}

/// "<topic id>" of the given kind.
ParsedKey ParseTopic(KeyKind kind, std::string_view rest) {
  const std::optional<TopicId> id = TopicId::Parse(rest);
  return id ? ParsedKey{.kind = kind, .topic = *id} : ParsedKey();
}

/// "<topic id>/<number>" of the given kind.
ParsedKey ParseNumbered(KeyKind kind, std::string_view rest) {
  if (rest.size() != kIdText + 1 + kNumberDigits || rest[kIdText] != '/') return {};
  const std::optional<TopicId> id = TopicId::Parse(rest.substr(0, kIdText));
  const std::optional<int32_t> number = ParseNumber(rest.substr(kIdText + 1));
  return id && number ? ParsedKey{.kind = kind, .topic = *id, .number = *number} : ParsedKey();
}

ParsedKey ParseBroker(std::string_view rest) {
  const std::optional<int32_t> number = ParseNumber(rest);
  return number ? ParsedKey{.kind = KeyKind::kBroker, .number = *number} : ParsedKey();
}

}  // namespace

std::string BrokerKey(BrokerId broker) {
  return base::StrCat(kBrokersPrefix, NumberText(broker.value()));
}
std::string TopicNameKey(std::string_view name) { return base::StrCat(kTopicNamesPrefix, name); }
std::string TopicKey(const TopicId& id) { return base::StrCat(kTopicsPrefix, id.ToString()); }
std::string AssignmentsOf(const TopicId& id) {
  return base::StrCat(kAssignmentsPrefix, id.ToString(), "/");
}
std::string AssignmentKey(const TopicId& id, int32_t chunk) {
  return base::StrCat(AssignmentsOf(id), NumberText(chunk));
}
std::string PartitionStatesOf(const TopicId& id) {
  return base::StrCat(kPartitionStatesPrefix, id.ToString(), "/");
}
std::string PartitionStateKey(const TopicPartition& partition) {
  return base::StrCat(PartitionStatesOf(partition.topic_id),
                      NumberText(partition.partition.value()));
}
std::string DeletionKey(const TopicId& id) { return base::StrCat(kDeletionsPrefix, id.ToString()); }
std::string UserKey(std::string_view name) { return base::StrCat(kUsersPrefix, name); }

ParsedKey ParseKey(std::string_view key) {
  const auto after = [key](std::string_view prefix) { return key.substr(prefix.size()); };
  if (key == kClusterKey) return {.kind = KeyKind::kCluster};
  if (key == kLoginSecretKey) return {.kind = KeyKind::kLoginSecret};
  if (key.starts_with(kUsersPrefix)) {
    return {.kind = KeyKind::kUser, .name = std::string(after(kUsersPrefix))};
  }
  if (key.starts_with(kBrokersPrefix)) return ParseBroker(after(kBrokersPrefix));
  if (key.starts_with(kTopicNamesPrefix)) {
    return {.kind = KeyKind::kTopicName, .name = std::string(after(kTopicNamesPrefix))};
  }
  if (key.starts_with(kTopicsPrefix)) return ParseTopic(KeyKind::kTopic, after(kTopicsPrefix));
  if (key.starts_with(kAssignmentsPrefix)) {
    return ParseNumbered(KeyKind::kAssignment, after(kAssignmentsPrefix));
  }
  if (key.starts_with(kPartitionStatesPrefix)) {
    return ParseNumbered(KeyKind::kPartitionState, after(kPartitionStatesPrefix));
  }
  if (key.starts_with(kDeletionsPrefix)) {
    return ParseTopic(KeyKind::kDeletion, after(kDeletionsPrefix));
  }
  return {};
}

}  // namespace talosmq::metadata
