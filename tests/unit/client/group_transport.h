#pragma once

#include "base/bytes.h"
#include "base/mutex.h"
#include "client/transport.h"
#include "record/batch.h"
#include "talosmq/error.h"
#include "talosmq/v1/consumer.pb.h"

#include "unit/client/heartbeats_as_calls.h"
#include "unit/client/scripted_transport.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {

/// A cluster with one topic, "events", and a group of which the test says what its one member is
/// assigned. Records are of one batch each. Thread-safe.
class GroupTransport final : public Transport {
 public:
  static constexpr std::string_view kHeartbeat = HeartbeatsAsCalls::kMethod;
  static constexpr std::string_view kCommit = "/talosmq.v1.ConsumerService/CommitOffsets";
  static constexpr std::string_view kFetch = "/talosmq.v1.ConsumerService/FetchOffsets";
  static constexpr std::string_view kLeave = "/talosmq.v1.ConsumerService/LeaveGroup";

  explicit GroupTransport(int32_t partitions) {
    cluster_.topics["events"] = {ScriptedTransport::IdOf(1), {}};
    cluster_.topics["events"].leaders.assign(static_cast<size_t>(partitions), {0, 4});
  }

  static TopicPartition P(int32_t number) {
    return {.topic_id = ScriptedTransport::IdOf(1), .partition = PartitionId(number)};
  }

  void Assign(std::set<int32_t> partitions) {
    const base::MutexLock lock(mutex_);
    assigned_ = std::move(partitions);
    ++generation_;
    AnswerHeartbeatLocked();
  }
  /// Forgets the member, which loses what it has; waits until it joins anew, and gives it these.
  void Forget(std::set<int32_t> partitions) {
    const base::MutexLock lock(mutex_);
    assigned_ = std::move(partitions);
    ++generation_;
    is_forgotten_ = true;
    AnswerHeartbeatLocked();
    while (is_forgotten_) changed_.Wait(mutex_);
  }
  /// Answers nothing any more.
  void FallSilent() {
    const base::MutexLock lock(mutex_);
    is_silent_ = true;
  }
  /// Refuses the next commit.
  void RefuseCommit(v1::Reason reason) {
    const base::MutexLock lock(mutex_);
    refusal_ = reason;
  }
  /// Of every partition: records 0 to `count`.
  void Store(int64_t count, size_t bytes = 10) {
    const base::MutexLock lock(mutex_);
    stored_ = count;
    record_bytes_ = bytes;
  }
  /// Waits until the member says that these are its own.
  void AwaitOwned(const std::set<int32_t>& partitions) {
    const base::MutexLock lock(mutex_);
    while (owned_ != partitions) changed_.Wait(mutex_);
  }
  void AwaitCommitted(int32_t partition, int64_t offset) {
    const base::MutexLock lock(mutex_);
    while (!committed_.contains(partition) || committed_[partition] != offset) {
      changed_.Wait(mutex_);
    }
  }
  std::map<int32_t, int64_t> committed() const {
    const base::MutexLock lock(mutex_);
    return committed_;
  }
  bool has_left() const {
    const base::MutexLock lock(mutex_);
    return has_left_;
  }
  /// Given so far, by all streams.
  int64_t credit_bytes() const {
    const base::MutexLock lock(mutex_);
    return credit_bytes_;
  }

  void Call(CallRequest request, Reply done) override {
    const base::MutexLock lock(mutex_);
    if (is_silent_) {
      held_.push_back(std::move(done));
    } else if (request.method == kHeartbeat) {
      Heartbeat(request.body, std::move(done));
    } else if (request.method == kCommit) {
      done(Commit(request.body));
    } else if (request.method == kFetch) {
      done(Committed(request.body));
    } else if (request.method == kLeave) {
      has_left_ = true;
      done(v1::LeaveGroupResponse().SerializeAsString());
    } else {
      cluster_.log_end = stored_;
      cluster_.Call(std::move(request), std::move(done));
    }
    changed_.SignalAll();
  }
  std::unique_ptr<ProduceStream> OpenProduce(const std::string& address,
                                             std::shared_ptr<ProduceObserver> observer) override {
    return cluster_.OpenProduce(address, std::move(observer));
  }
  std::unique_ptr<FetchStream> OpenFetch(const std::string& /*address*/,
                                         std::shared_ptr<FetchObserver> observer) override {
    return std::make_unique<Stream>(*this, std::move(observer));
  }
  std::unique_ptr<HeartbeatStream> OpenHeartbeats(
      const std::string& address, std::shared_ptr<HeartbeatObserver> observer) override {
    return std::make_unique<HeartbeatsAsCalls>(*this, address, std::move(observer));
  }
  void ShutDown() override {
    const base::MutexLock lock(mutex_);
    if (waiting_) held_.push_back(std::move(waiting_));
    for (Reply& reply : std::exchange(held_, {})) reply(MakeError(Reason::kClosed, "scripted"));
  }

 private:
  /// Sends all that is stored when a partition is subscribed to.
  class Stream final : public FetchStream {
   public:
    Stream(GroupTransport& net, std::shared_ptr<FetchObserver> observer)
        : net_(net), observer_(std::move(observer)) {}
    void Write(FetchCommand command) override {
      observer_->OnWritten();
      int64_t count = 0;
      size_t bytes = 0;
      {
        const base::MutexLock lock(net_.mutex_);
        net_.credit_bytes_ += command.credit_bytes;
        count = net_.stored_;
        bytes = net_.record_bytes_;
      }
      for (const FetchSubscription& subscription : command.subscribe) {
        for (int64_t offset = subscription.offset.value(); offset < count; ++offset) {
          Send(subscription.id, offset, bytes);
        }
      }
    }

   private:
    void Send(uint64_t subscription, int64_t offset, size_t bytes) {
      record::BatchBuilder builder(record::Codec::kNone, bytes + 100);
      const std::string value(bytes, 'x');
      builder.Append({.timestamp_ms = 1, .value = value});
      FetchedPartition fetched;
      fetched.subscription_id = subscription;
      fetched.high_watermark = Offset(1000);
      fetched.next_offset = Offset(offset + 1);
      fetched.records = *builder.Finish({});
      base::StoreBigEndian(fetched.records.mutable_bytes().data(), offset);
      std::vector<FetchedPartition> partitions;
      partitions.push_back(std::move(fetched));
      observer_->OnFetched(std::move(partitions));
    }

    GroupTransport& net_;
    const std::shared_ptr<FetchObserver> observer_;
  };

  void Heartbeat(const std::string& body, Reply done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::HeartbeatRequest request;
    request.ParseFromString(body);
    owned_.clear();
    for (const v1::GroupPartition& partition : request.owned()) {
      owned_.insert(partition.partition());
    }
    if (waiting_) held_.push_back(std::move(waiting_));
    waiting_ = std::move(done);
    if (request.generation() == 0) is_forgotten_ = false;
    if (request.generation() != generation_) AnswerHeartbeatLocked();
  }
  void AnswerHeartbeatLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (!waiting_) return;
    if (is_forgotten_) {
      std::exchange(waiting_, nullptr)(MakeError(Reason::kUnknownMember, "scripted"));
      return;
    }
    v1::HeartbeatResponse response;
    response.set_generation(generation_);
    response.set_lease_ms(60'000);
    for (const int32_t number : assigned_) {
      v1::GroupPartition& partition = *response.add_assigned();
      partition.set_topic_id(std::string(P(number).topic_id.bytes()));
      partition.set_partition(number);
    }
    std::exchange(waiting_, nullptr)(response.SerializeAsString());
  }
  std::string Commit(const std::string& body) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::CommitOffsetsRequest request;
    request.ParseFromString(body);
    const v1::Reason refusal = std::exchange(refusal_, v1::REASON_NONE);
    v1::CommitOffsetsResponse response;
    for (const v1::OffsetCommit& offset : request.offsets()) {
      v1::CommittedPartition& partition = *response.add_partitions();
      partition.set_topic_id(offset.topic_id());
      partition.set_partition(offset.partition());
      if (refusal != v1::REASON_NONE) partition.mutable_error()->set_reason(refusal);
      if (refusal == v1::REASON_NONE) committed_[offset.partition()] = offset.offset();
    }
    return response.SerializeAsString();
  }
  std::string Committed(const std::string& body) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    v1::FetchOffsetsRequest request;
    request.ParseFromString(body);
    v1::FetchOffsetsResponse response;
    for (const v1::GroupPartition& partition : request.partitions()) {
      const auto found = committed_.find(partition.partition());
      if (found == committed_.end()) continue;
      v1::CommittedOffset& offset = *response.add_offsets();
      offset.set_topic_id(partition.topic_id());
      offset.set_partition(partition.partition());
      offset.set_offset(found->second);
    }
    return response.SerializeAsString();
  }

  mutable base::Mutex mutex_;
  base::CondVar changed_;
  ScriptedTransport cluster_ ABSL_GUARDED_BY(mutex_);
  std::set<int32_t> assigned_ ABSL_GUARDED_BY(mutex_);
  std::set<int32_t> owned_ ABSL_GUARDED_BY(mutex_);
  int32_t generation_ ABSL_GUARDED_BY(mutex_) = 1;
  std::map<int32_t, int64_t> committed_ ABSL_GUARDED_BY(mutex_);
  v1::Reason refusal_ ABSL_GUARDED_BY(mutex_) = v1::REASON_NONE;
  int64_t stored_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t record_bytes_ ABSL_GUARDED_BY(mutex_) = 10;
  int64_t credit_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool is_forgotten_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_silent_ ABSL_GUARDED_BY(mutex_) = false;
  bool has_left_ ABSL_GUARDED_BY(mutex_) = false;
  Reply waiting_ ABSL_GUARDED_BY(mutex_);
  std::vector<Reply> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::client
