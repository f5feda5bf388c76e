#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "broker/cluster.h"
#include "broker/groups.h"
#include "broker/messages.h"
#include "broker/topics.h"
#include "kafka/config_catalogue.h"
#include "kafka/fetch_sessions.h"

namespace talosmq::kafka {

/// What the handlers work with. All of it outlives the front.
struct Services {
  broker::MessageService& messages;
  broker::TopicService& topics;
  broker::GroupService& groups;
  broker::ClusterService& cluster;
  const base::Clock& clock;
  base::MetricRegistry& metrics;
  FetchSessions& fetch_sessions;
  const BrokerSettings& settings;
};

}  // namespace talosmq::kafka
