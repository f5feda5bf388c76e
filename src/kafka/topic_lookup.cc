#include "kafka/topic_lookup.h"

#include "base/status.h"
#include "base/text.h"

namespace talosmq::kafka {
namespace {

constexpr size_t kNameShown = 249;

}  // namespace

absl::StatusOr<std::shared_ptr<const metadata::TopicImage>> FindTopic(
    const metadata::ClusterImage& image, std::string_view topic) {
  auto found = image.FindTopic(topic);
  if (found != nullptr && found->state == metadata::TopicState::kActive) return found;
  return MakeError(Reason::kUnknownTopic,
                   base::StrCat("there is no topic ", base::Printable(topic, kNameShown)));
}

absl::StatusOr<TopicPartition> FindPartition(const metadata::ClusterImage& image,
                                             std::string_view topic, int32_t partition) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto found, FindTopic(image, topic));
  if (partition >= 0 && static_cast<size_t>(partition) < found->partitions.size()) {
    return TopicPartition{.topic_id = found->id, .partition = PartitionId(partition)};
  }
  return MakeError(Reason::kUnknownPartition,
                   base::StrCat("topic ", found->name, " has partitions 0 to ",
                                found->partitions.size() - 1, ", not ", partition));
}

}  // namespace talosmq::kafka
