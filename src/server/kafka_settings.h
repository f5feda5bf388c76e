#pragma once

#include "kafka/config_catalogue.h"
#include "server/config.h"
#include "talosmq/ids.h"

namespace talosmq::server {

/// What Kafka clients are told of this broker's settings, under the names that Kafka has for them:
/// those which hold here, with the values in force.
kafka::BrokerSettings KafkaSettingsOf(const ServerConfig& config, BrokerId self);

}  // namespace talosmq::server
