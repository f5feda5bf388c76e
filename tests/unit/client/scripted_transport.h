#pragma once

#include "base/mutex.h"
#include "client/transport.h"
#include "talosmq/error.h"
#include "talosmq/v1/cluster.pb.h"
#include "talosmq/v1/message.pb.h"
#include "talosmq/v1/topic.pb.h"

#include "unit/client/heartbeats_as_calls.h"

#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {

/// A produce stream whose other end the test plays. Writes are taken at once.
class ScriptedProduceStream final : public ProduceStream {
 public:
  struct End {
    std::string address;
    std::shared_ptr<ProduceObserver> observer;  ///< Null once closed.
    /// With copies of the records.
    std::vector<ProduceMessage> written;
    /// What the network still holds of them; it lets go at once unless holds_bytes is set.
    std::vector<base::Buffer> held;
    bool holds_bytes = false;
    bool is_cancelled = false;
    bool holds_writes = false;  ///< OnWritten is the test's business.

    void Answer(const ProduceMessage& message, size_t batch, absl::Status status,
                Offset base_offset = Offset(0)) {
      observer->OnAnswer({.request_id = message.request_id,
                          .acks = {{.target = message.batches[batch].target,
                                    .status = std::move(status),
                                    .base_offset = base_offset}}});
    }
    /// Answers the first batch of written[index].
    void Accept(size_t index, int64_t base_offset) {
      Answer(written[index], 0, absl::OkStatus(), Offset(base_offset));
    }
    void Refuse(size_t index, Reason reason) {
      Answer(written[index], 0, MakeError(reason, "scripted"));
    }
    void Break() {
      std::exchange(observer, nullptr)->OnClosed(MakeError(Reason::kUnavailable, "scripted break"));
    }
  };

  explicit ScriptedProduceStream(std::shared_ptr<End> end) : end_(std::move(end)) {}
  ~ScriptedProduceStream() override { end_->is_cancelled = true; }
  void Write(ProduceMessage message) override {
    if (end_->observer == nullptr) return;
    const uint64_t id = message.request_id;
    for (PartitionBatch& batch : message.batches) {
      if (end_->holds_bytes) end_->held.push_back(batch.records);
      batch.records = base::Buffer::CopyOf(batch.records.bytes());
    }
    end_->written.push_back(std::move(message));
    if (!end_->holds_writes) end_->observer->OnWritten(id);
  }

 private:
  std::shared_ptr<End> end_;
};

/// A fetch stream whose other end the test plays.
class ScriptedFetchStream final : public FetchStream {
 public:
  struct End {
    std::string address;
    std::shared_ptr<FetchObserver> observer;
    std::vector<FetchCommand> commands;
    bool is_cancelled = false;

    /// The subscriptions asked for so far, unsubscribed ones included.
    std::vector<FetchSubscription> subscriptions() const {
      std::vector<FetchSubscription> all;
      for (const FetchCommand& command : commands) {
        all.insert(all.end(), command.subscribe.begin(), command.subscribe.end());
      }
      return all;
    }
    int64_t credit_bytes() const {
      int64_t bytes = 0;
      for (const FetchCommand& command : commands) bytes += command.credit_bytes;
      return bytes;
    }
    void Send(FetchedPartition fetched) {
      std::vector<FetchedPartition> partitions;
      partitions.push_back(std::move(fetched));
      observer->OnFetched(std::move(partitions));
    }
    void Fail(uint64_t subscription, Reason reason) {
      Refuse(subscription, MakeError(reason, "scripted"));
    }
    void Refuse(uint64_t subscription, const absl::Status& status) {
      FetchedPartition fetched;
      fetched.subscription_id = subscription;
      fetched.status = status;
      fetched.high_watermark = Offset(1000);
      Send(std::move(fetched));
    }
    void Break() {
      std::exchange(observer, nullptr)->OnClosed(MakeError(Reason::kUnavailable, "scripted break"));
    }
  };

  explicit ScriptedFetchStream(std::shared_ptr<End> end) : end_(std::move(end)) {}
  ~ScriptedFetchStream() override { end_->is_cancelled = true; }
  void Write(FetchCommand command) override {
    if (end_->observer == nullptr) return;
    end_->commands.push_back(std::move(command));
    end_->observer->OnWritten();
  }

 private:
  std::shared_ptr<End> end_;
};

/// A cluster of the test's making: topics and leaders as it says, streams whose other ends it
/// holds. Confined to the test's thread.
class ScriptedTransport final : public Transport {
 public:
  struct Topic {
    TopicId id;
    std::vector<std::pair<int32_t, int32_t>> leaders;  ///< Broker and epoch by partition.
  };

  /// A call that the test answers.
  struct HeldCall {
    std::string method;
    std::string body;
    Reply reply;
  };

  void Call(CallRequest request, Reply done) override {
    calls.push_back({request.address, std::string(request.method)});
    timeouts.push_back(request.timeout);
    if (unreachable.contains(request.address)) {
      done(MakeError(Reason::kUnavailable, request.address + ": refused"));
    } else if (held_methods.contains(std::string(request.method))) {
      held_calls.push_back({std::string(request.method), request.body, std::move(done)});
    } else if (!refusals[std::string(request.method)].empty()) {
      const Reason reason = refusals[std::string(request.method)].front();
      refusals[std::string(request.method)].pop_front();
      done(MakeError(reason, "scripted"));
    } else {
      done(AnswerTo(request));
    }
  }

  std::unique_ptr<ProduceStream> OpenProduce(const std::string& address,
                                             std::shared_ptr<ProduceObserver> observer) override {
    auto end = std::make_shared<ScriptedProduceStream::End>();
    end->address = address;
    end->observer = std::move(observer);
    produce_streams.push_back(end);
    return std::make_unique<ScriptedProduceStream>(end);
  }

  std::unique_ptr<FetchStream> OpenFetch(const std::string& address,
                                         std::shared_ptr<FetchObserver> observer) override {
    auto end = std::make_shared<ScriptedFetchStream::End>();
    end->address = address;
    end->observer = std::move(observer);
    fetch_streams.push_back(end);
    return std::make_unique<ScriptedFetchStream>(end);
  }

  std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) override {
    return std::make_unique<HeartbeatsAsCalls>(*this, address, std::move(observer));
  }

  /// What the test plays it also ends.
  void ShutDown() override {}

  ScriptedProduceStream::End& produce() { return *produce_streams.back(); }
  ScriptedFetchStream::End& fetch() { return *fetch_streams.back(); }
  int64_t CountCalls(const std::string& method) const {
    int64_t count = 0;
    for (const auto& [address, name] : calls) count += name == method ? 1 : 0;
    return count;
  }

  static TopicId IdOf(uint8_t number) {
    std::array<uint8_t, 16> bytes{};
    bytes[15] = number;
    return TopicId(bytes);
  }

  std::map<std::string, Topic> topics;
  std::map<int32_t, std::string> brokers{{0, "broker:1"}};
  std::set<std::string> unreachable;
  /// The next answers to a method, before it answers truly again.
  std::map<std::string, std::deque<Reason>> refusals;
  /// Calls of these wait in held_calls, in their order.
  std::set<std::string> held_methods;
  std::deque<HeldCall> held_calls;
  /// Answers of ListOffsets: start and end of every partition.
  int64_t log_start = 0;
  int64_t log_end = 0;
  int32_t protocol_version_min = 1;
  int64_t next_producer_id = 7000;
  std::vector<std::pair<std::string, std::string>> calls;
  std::vector<absl::Duration> timeouts;  ///< Of the calls.
  std::vector<std::shared_ptr<ScriptedProduceStream::End>> produce_streams;
  std::vector<std::shared_ptr<ScriptedFetchStream::End>> fetch_streams;

 private:
  absl::StatusOr<std::string> AnswerTo(const CallRequest& request) {
    if (request.method == "/talosmq.v1.TopicService/GetMetadata") return Metadata(request.body);
    if (request.method == "/talosmq.v1.MessageService/ListOffsets") return Offsets(request.body);
    if (request.method == "/talosmq.v1.MessageService/InitProducer") {
      v1::InitProducerResponse response;
      response.set_producer_id(next_producer_id++);
      return response.SerializeAsString();
    }
    if (request.method == "/talosmq.v1.ClusterService/GetServerInfo") {
      v1::GetServerInfoResponse response;
      response.set_version("9.9");
      response.set_protocol_version_min(protocol_version_min);
      response.set_protocol_version_max(protocol_version_min);
      return response.SerializeAsString();
    }
    return MakeError(Reason::kUnimplemented, "scripted");
  }

  void FillTopic(const std::string& name, const Topic& topic, v1::TopicMetadata& message) const {
    message.set_name(name);
    message.set_topic_id(std::string(topic.id.bytes()));
    for (const auto& [broker, epoch] : topic.leaders) {
      v1::PartitionMetadata& partition = *message.add_partitions();
      partition.set_leader(broker);
      partition.set_leader_epoch(epoch);
    }
  }

  std::string Metadata(const std::string& body) const {
    v1::GetMetadataRequest request;
    request.ParseFromString(body);
    v1::GetMetadataResponse response;
    for (const auto& [id, address] : brokers) {
      v1::BrokerMetadata& broker = *response.add_brokers();
      broker.set_broker(id);
      broker.set_address(address);
    }
    for (const std::string& name : request.names()) {
      v1::TopicMetadata& message = *response.add_topics();
      const auto topic = topics.find(name);
      if (topic != topics.end()) FillTopic(name, topic->second, message);
      if (topic == topics.end()) message.mutable_error()->set_reason(v1::REASON_UNKNOWN_TOPIC);
    }
    for (const std::string& id : request.topic_ids()) {
      v1::TopicMetadata& message = *response.add_topics();
      message.mutable_error()->set_reason(v1::REASON_UNKNOWN_TOPIC_ID);
      for (const auto& [name, topic] : topics) {
        if (topic.id.bytes() != id) continue;
        message.clear_error();
        FillTopic(name, topic, message);
      }
    }
    return response.SerializeAsString();
  }

  std::string Offsets(const std::string& body) const {
    v1::ListOffsetsRequest request;
    request.ParseFromString(body);
    v1::ListOffsetsResponse response;
    for (const v1::OffsetQuery& query : request.partitions()) {
      v1::PartitionOffset& offset = *response.add_partitions();
      offset.set_topic_id(query.topic_id());
      offset.set_partition(query.partition());
      offset.set_offset(query.has_start() ? log_start : log_end);
    }
    return response.SerializeAsString();
  }
};

}  // namespace talosmq::client
