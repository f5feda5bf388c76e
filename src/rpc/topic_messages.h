#pragma once

#include "broker/topics.h"
#include "talosmq/v1/topic.pb.h"

namespace talosmq::rpc {

/// What the broker says about topics, as messages.

v1::TopicState ToMessage(metadata::TopicState state);
void FillDescription(const broker::TopicDescription& description, v1::DescribeTopicResponse& to);
void FillSummary(const metadata::TopicImage& topic, v1::TopicSummary& to);
/// The topics that the request asks for, in the order of their names.
void FillList(const metadata::ClusterImage& image, const v1::ListTopicsRequest& request,
              v1::ListTopicsResponse& to);
void FillMetadata(const metadata::TopicImage& topic, v1::TopicMetadata& to);
/// Answers each name and each id of the request on its own, and once.
void FillMetadata(const metadata::ClusterImage& image, const v1::GetMetadataRequest& request,
                  v1::GetMetadataResponse& to);

}  // namespace talosmq::rpc
