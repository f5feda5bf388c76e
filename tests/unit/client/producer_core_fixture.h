#pragma once

#include "client/producer_core.h"
#include "record/batch.h"
#include "support/manual_clock.h"
#include "support/manual_executor.h"
#include "talosmq/error.h"

#include "gtest/gtest.h"
#include "unit/client/fixed_random.h"
#include "unit/client/scripted_transport.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::client {

/// "reason records buffer" of every batch, and what else was told.
class RecordingMetrics final : public ClientMetrics {
 public:
  void OnBatchEnded(const BatchEnded& batch) override {
    EXPECT_EQ(batch.topic, "events");
    EXPECT_GT(batch.bytes, 0);
    EXPECT_GT(batch.buffer_used_bytes, 0) << "this batch still counts";
    batches.push_back(std::string(ReasonName(batch.reason)) + " " + std::to_string(batch.records));
    last_latency = batch.latency;
  }
  void OnRetryPause(const RetryPause& pause) override {
    retries.push_back(std::string(ReasonName(pause.reason)) + " " +
                      absl::FormatDuration(pause.pause));
  }
  void OnRequestEnded(const RequestEnded& request) override {
    requests.push_back(std::string(request.method.substr(request.method.rfind('/') + 1)) + " " +
                       std::string(request.server) + " " + std::string(ReasonName(request.reason)) +
                       " " + absl::FormatDuration(request.latency));
  }

  std::vector<std::string> batches;
  std::vector<std::string> retries;
  std::vector<std::string> requests;
  absl::Duration last_latency;
};

/// A producer of topic "events" on one thread, with the test as the cluster.
class ProducerCoreTest : public ::testing::Test {
 protected:
  using Deliveries = std::vector<std::string>;

  ProducerCoreTest() {
    auto transport = std::make_unique<ScriptedTransport>();
    net_ = transport.get();
    net_->topics["events"] = {ScriptedTransport::IdOf(1), {{0, 4}}};
    core_ = std::make_unique<ClientCore>(
        ClientOptions{.server = "seed:1", .metrics = metrics_}, std::move(transport),
        ClientCore::Deps{.executor = executor_, .clock = clock_, .random = random_});
    options_.on_delivery = [this](std::span<const Delivery> deliveries) {
      for (const Delivery& delivery : deliveries) delivered_.push_back(delivery);
    };
  }
  void TearDown() override {
    producer_ = nullptr;
    executor_.DropAll();
  }

  absl::Status Create() {
    absl::Status created = absl::UnknownError("not called");
    ProducerCore::Create(*core_, "events", options_, [&](auto producer) {
      created = producer.status();
      if (producer.ok()) producer_ = *producer;
    });
    executor_.RunUntilIdle();
    return created;
  }
  void MustCreate() { ASSERT_TRUE(Create().ok()); }

  /// Sends one record and lets everything happen that can.
  void Send(uint64_t tag) {
    ASSERT_TRUE(producer_->TrySend({.value = "value"}, tag).ok());
    executor_.RunUntilIdle();
  }
  void Advance(absl::Duration by) {
    clock_.Advance(by);
    executor_.RunUntilIdle();
  }
  void Run() { executor_.RunUntilIdle(); }
  /// Proves the identity, so that batches may overlap; tag 0.
  void SendFirst() {
    Send(0);
    stream().Accept(0, 0);
    Run();
    delivered_.clear();
  }

  ScriptedProduceStream::End& stream() { return net_->produce(); }
  record::BatchHeader Written(size_t index) {
    return *record::ParseHeader(stream().written[index].batches[0].records.bytes());
  }
  /// "tag:reason@offset" of everything delivered since the last call.
  Deliveries TakeDelivered() {
    Deliveries all;
    for (const Delivery& delivery : delivered_) {
      std::string text =
          std::to_string(delivery.tag) + ":" + std::string(ReasonName(ReasonOf(delivery.status)));
      if (delivery.status.ok()) text += "@" + std::to_string(delivery.offset.value());
      all.push_back(text);
    }
    delivered_.clear();
    return all;
  }
  bool IsFlushed() {
    // Shared: a flush that has not ended yet may end in a later step of the test.
    const auto flushed = std::make_shared<bool>(false);
    producer_->Flush([this, flushed](const absl::Status& status) {
      *flushed = true;
      flush_status_ = status;
    });
    Run();
    return *flushed;
  }

  const std::shared_ptr<RecordingMetrics> metrics_ = std::make_shared<RecordingMetrics>();
  support::ManualClock clock_;
  support::ManualExecutor executor_{clock_};
  FixedRandom random_;
  ScriptedTransport* net_ = nullptr;
  std::unique_ptr<ClientCore> core_;
  ProducerOptions options_;
  std::shared_ptr<ProducerCore> producer_;
  std::vector<Delivery> delivered_;
  absl::Status flush_status_;
};

}  // namespace talosmq::client
