#include "client/null_transport.h"

#include "base/text.h"
#include "record/batch.h"
#include "talosmq/error.h"
#include "talosmq/v1/cluster.pb.h"
#include "talosmq/v1/message.pb.h"
#include "talosmq/v1/topic.pb.h"

#include <map>
#include <utility>

namespace talosmq::client {
namespace {

constexpr std::string_view kAddress = "null:1";

/// Any id will do: nobody compares it with another topic's.
std::string OnlyTopicId() { return std::string(15, '\0') + '\1'; }

std::string Metadata(const std::string& body, int32_t partitions) {
  v1::GetMetadataRequest request;
  request.ParseFromString(body);
  v1::GetMetadataResponse response;
  response.set_cluster_id("null");
  v1::BrokerMetadata& broker = *response.add_brokers();
  broker.set_address(std::string(kAddress));
  v1::TopicMetadata& topic = *response.add_topics();
  topic.set_name(request.names().empty() ? "null" : request.names(0));
  topic.set_topic_id(OnlyTopicId());
  for (int32_t i = 0; i < partitions; ++i) topic.add_partitions();
  return response.SerializeAsString();
}

std::string ServerInfo() {
  v1::GetServerInfoResponse response;
  response.set_version("null");
  response.set_protocol_version_min(1);
  response.set_protocol_version_max(1);
  return response.SerializeAsString();
}

std::string Identity() {
  v1::InitProducerResponse response;
  response.set_producer_id(1);
  return response.SerializeAsString();
}

/// Thread-compatible, as its interface says. The observer is let go when the stream is destroyed.
class NullProduceStream final : public ProduceStream {
 public:
  explicit NullProduceStream(std::shared_ptr<ProduceObserver> observer)
      : observer_(std::move(observer)) {}
  ~NullProduceStream() override { observer_->OnClosed(absl::OkStatus()); }

  void Write(ProduceMessage message) override {
    ProduceAnswer answer{.request_id = message.request_id, .acks = {}};
    for (const PartitionBatch& batch : message.batches) {
      Offset& end = ends_[batch.target];
      answer.acks.push_back(
          {.target = batch.target, .status = absl::OkStatus(), .base_offset = end});
      const auto header = record::ParseHeader(batch.records.bytes());
      if (header.ok()) end = end + header->count;
    }
    observer_->OnWritten(message.request_id);
    if (message.acks != Acks::kNone) observer_->OnAnswer(std::move(answer));
  }

 private:
  std::shared_ptr<ProduceObserver> observer_;
  std::map<TopicPartition, Offset> ends_;
};

class ClosedFetchStream final : public FetchStream {
 public:
  void Write(FetchCommand /*command*/) override {}
};

class ClosedHeartbeatStream final : public HeartbeatStream {
 public:
  void Write(v1::HeartbeatsRequest /*heartbeats*/) override {}
};

}  // namespace

void NullTransport::Call(CallRequest request, Reply done) {
  if (request.method == "/talosmq.v1.TopicService/GetMetadata") {
    done(Metadata(request.body, partitions_));
  } else if (request.method == "/talosmq.v1.ClusterService/GetServerInfo") {
    done(ServerInfo());
  } else if (request.method == "/talosmq.v1.MessageService/InitProducer") {
    done(Identity());
  } else {
    done(MakeError(Reason::kUnimplemented,
                   base::StrCat("the null transport does not answer ", request.method)));
  }
}

std::unique_ptr<ProduceStream> NullTransport::OpenProduce(
    const std::string& /*address*/, std::shared_ptr<ProduceObserver> observer) {
  return std::make_unique<NullProduceStream>(std::move(observer));
}

std::unique_ptr<FetchStream> NullTransport::OpenFetch(const std::string& /*address*/,
                                                      std::shared_ptr<FetchObserver> observer) {
  observer->OnClosed(MakeError(Reason::kUnimplemented, "the null transport has nothing to fetch"));
  return std::make_unique<ClosedFetchStream>();
}

std::unique_ptr<HeartbeatStream> NullTransport::OpenHeartbeats(
    const std::string& /*address*/, std::shared_ptr<HeartbeatObserver> observer) {
  observer->OnClosed(MakeError(Reason::kUnimplemented, "the null transport has no groups"));
  return std::make_unique<ClosedHeartbeatStream>();
}

}  // namespace talosmq::client
