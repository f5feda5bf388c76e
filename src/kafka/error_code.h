#pragma once

#include "absl/status/status.h"

#include <cstdint>

namespace talosmq::kafka {

/// Kafka's error codes, as far as we say them. Source: the table of the Kafka protocol guide.
enum class ErrorCode : int16_t {
  kUnknownServerError = -1,
  kNone = 0,
  kOffsetOutOfRange = 1,
  kCorruptMessage = 2,
  kUnknownTopicOrPartition = 3,
  kLeaderNotAvailable = 5,
  kNotLeaderOrFollower = 6,
  kRequestTimedOut = 7,
  kMessageTooLarge = 10,
  kOffsetMetadataTooLarge = 12,
  kCoordinatorNotAvailable = 15,
  kInvalidTopic = 17,
  kNotEnoughReplicas = 19,
  kInvalidRequiredAcks = 21,
  kIllegalGeneration = 22,
  kInconsistentGroupProtocol = 23,
  kInvalidGroupId = 24,
  kUnknownMemberId = 25,
  kInvalidSessionTimeout = 26,
  kRebalanceInProgress = 27,
  kInvalidTimestamp = 32,
  kUnsupportedSaslMechanism = 33,
  kIllegalSaslState = 34,
  kUnsupportedVersion = 35,
  kTopicAlreadyExists = 36,
  kInvalidPartitions = 37,
  kInvalidReplicationFactor = 38,
  kInvalidConfig = 40,
  kInvalidRequest = 42,
  kUnsupportedForMessageFormat = 43,
  kOutOfOrderSequenceNumber = 45,
  kInvalidProducerEpoch = 47,
  kTransactionalIdAuthorizationFailed = 53,
  kKafkaStorageError = 56,
  kSaslAuthenticationFailed = 58,
  kUnknownProducerId = 59,
  kNonEmptyGroup = 68,
  kGroupIdNotFound = 69,
  kFetchSessionIdNotFound = 70,
  kInvalidFetchSessionEpoch = 71,
  kFencedLeaderEpoch = 74,
  kUnknownLeaderEpoch = 75,
  kUnsupportedCompressionType = 76,
  kMemberIdRequired = 79,
  kGroupMaxSizeReached = 81,
  kFencedInstanceId = 82,
  kGroupSubscribedToTopic = 86,
  kInvalidRecord = 87,
  kThrottlingQuotaExceeded = 89,
  kUnknownTopicId = 100,
};

/// What says to a Kafka client what `status` says to ours: the same kind of fault, and a retry
/// where a retry helps.
ErrorCode ErrorCodeOf(const absl::Status& status);

/// The same from whoever coordinates groups: their clients take any other code than these for a
/// fault that they cannot mend, and give up.
ErrorCode GroupErrorCodeOf(const absl::Status& status);

/// As it goes over the wire.
inline int16_t Wire(ErrorCode code) { return static_cast<int16_t>(code); }
inline int16_t WireErrorOf(const absl::Status& status) { return Wire(ErrorCodeOf(status)); }
inline int16_t WireGroupErrorOf(const absl::Status& status) {
  return Wire(GroupErrorCodeOf(status));
}

}  // namespace talosmq::kafka
