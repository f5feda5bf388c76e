#pragma once

#include "broker/topics.h"
#include "talosmq/error.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::kafka {

/// The partition of the topic that has the name now; kUnknownTopic, kUnknownPartition. Kafka's
/// requests name topics; everything behind this goes by their ids.
absl::StatusOr<TopicPartition> FindPartition(const metadata::ClusterImage& image,
                                             std::string_view topic, int32_t partition);
/// Likewise the topic; kUnknownTopic also for one that is being deleted.
absl::StatusOr<std::shared_ptr<const metadata::TopicImage>> FindTopic(
    const metadata::ClusterImage& image, std::string_view topic);

}  // namespace talosmq::kafka
