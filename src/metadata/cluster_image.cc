#include "metadata/cluster_image.h"

#include "metadata/topic_config.h"

namespace talosmq::metadata {

std::map<std::string, std::string> TopicImage::labels() const { return LabelsOf(configs); }

std::shared_ptr<const TopicImage> ClusterImage::FindTopic(std::string_view name) const {
  const auto found = topics_by_name.find(name);
  return found == topics_by_name.end() ? nullptr : found->second;
}

std::shared_ptr<const TopicImage> ClusterImage::FindTopic(const TopicId& id) const {
  const auto found = topics_by_id.find(id);
  return found == topics_by_id.end() ? nullptr : found->second;
}

}  // namespace talosmq::metadata
