#pragma once

#include "metadata/cluster_image.h"
#include "record/batch.h"
#include "storage/partition_log.h"

#include <memory>

namespace talosmq::broker {

/// What a topic's configs mean to the data path, worked out once for each TopicImage. Immutable.
struct TopicSettings {
  std::shared_ptr<const metadata::TopicImage> topic;  ///< Of which it speaks.
  record::ValidationOptions validation;               ///< But for now_ms.
  storage::LogOptions log;
};

std::shared_ptr<const TopicSettings> MakeTopicSettings(
    std::shared_ptr<const metadata::TopicImage> topic);

}  // namespace talosmq::broker
