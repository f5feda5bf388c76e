#pragma once

#include "controller/topic_controller.h"
#include "metadata/cluster_image.h"
#include "metadata/codec.h"
#include "metadata/image_builder.h"
#include "metadata/keys.h"
#include "metadata/memory/memory_store.h"
#include "support/faulty_metadata_store.h"
#include "support/manual_executor.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::controller {

/// Random numbers that are the same in each run.
class CountingRandom final : public base::Random {
 public:
  uint64_t Next() override { return ++last_ * 0x9e3779b97f4a7c15; }

 private:
  uint64_t last_ = 0;
};

/// A metadata store that outlives the controllers that crash over it, and what tests ask of it.
class TopicWorld {
 public:
  explicit TopicWorld(int32_t brokers) {
    for (int32_t i = 0; i < brokers; ++i) {
      Put(metadata::BrokerKey(BrokerId(i)), metadata::Encode(metadata::BrokerRecord{}));
    }
    StartController();
  }
  ~TopicWorld() { controller_.reset(); }
  TopicWorld(const TopicWorld&) = delete;
  TopicWorld& operator=(const TopicWorld&) = delete;

  TopicController& controller() { return *controller_; }
  support::FaultyMetadataStore& faults() { return *faulty_; }
  metadata::MetadataStore& store() { return *store_; }
  support::ManualExecutor& executor() { return executor_; }

  void Run() { support::RunAllUntilIdle({&store_executor_, &executor_}); }

  /// What `start` answers; nothing when the process died before it.
  template <typename Result, typename Start>
  std::optional<Result> Ask(Start start) {
    auto answer = std::make_shared<std::optional<Result>>();
    start([answer](Result result) { *answer = std::move(result); });
    Run();
    return std::move(*answer);
  }

  absl::StatusOr<CreatedTopic> Create(NewTopic topic) {
    return Ask<absl::StatusOr<CreatedTopic>>(
               [&](auto done) { controller_->Create(std::move(topic), std::move(done)); })
        .value_or(absl::UnknownError("died"));
  }
  absl::StatusOr<metadata::Revision> Grow(const std::string& name, int32_t total) {
    return Ask<absl::StatusOr<metadata::Revision>>(
               [&](auto done) { controller_->AddPartitions(name, total, std::move(done)); })
        .value_or(absl::UnknownError("died"));
  }
  absl::StatusOr<metadata::Revision> Alter(const std::string& name, ConfigChange change) {
    return Ask<absl::StatusOr<metadata::Revision>>([&](auto done) {
             controller_->AlterConfig(name, std::move(change), std::move(done));
           })
        .value_or(absl::UnknownError("died"));
  }
  absl::StatusOr<metadata::Revision> Delete(const std::string& name) {
    return Ask<absl::StatusOr<metadata::Revision>>(
               [&](auto done) { controller_->Delete(name, std::move(done)); })
        .value_or(absl::UnknownError("died"));
  }
  absl::Status ConfirmDeleted(const TopicId& id, BrokerId broker) {
    return Ask<absl::Status>(
               [&](auto done) { controller_->ConfirmDeleted(id, broker, std::move(done)); })
        .value_or(absl::UnknownError("died"));
  }

  /// The process dies and another one starts over the same store.
  void Restart() {
    executor_.DropAll();
    StartController();
    const auto recovered =
        Ask<absl::Status>([&](auto done) { controller_->Recover(std::move(done)); });
    ASSERT_TRUE(recovered.has_value());
    ASSERT_TRUE(recovered->ok()) << *recovered;
  }

  void Put(const std::string& key, const std::string& value) {
    store_->Commit({.compares = {}, .operations = {{.key = key, .value = value}}}, executor_,
                   [](const absl::StatusOr<metadata::CommitResult>&) {});
    Run();
  }

  std::vector<metadata::KeyValue> List(std::string_view prefix) {
    std::vector<metadata::KeyValue> entries;
    bool is_complete = false;
    while (!is_complete) {
      const std::string from = entries.empty() ? "" : entries.back().key + '\0';
      store_->List(std::string(prefix), from, executor_,
                   [&](absl::StatusOr<metadata::ListResult> page) {
                     for (auto& entry : page->entries) entries.push_back(std::move(entry));
                     is_complete = page->is_complete;
                   });
      Run();
    }
    return entries;
  }

  /// The cluster as brokers see it; fails the test when the keys do not make one.
  std::shared_ptr<const metadata::ClusterImage> Image() {
    metadata::ImageBuilder builder;
    for (metadata::KeyValue& entry : List("")) {
      std::string key = entry.key;
      builder.Apply({.key = std::move(key), .entry = std::move(entry)});
    }
    auto image = builder.Build(metadata::Revision{1});
    EXPECT_TRUE(image.ok()) << image.status();
    return image.ok() ? *image : std::make_shared<const metadata::ClusterImage>();
  }
  std::shared_ptr<const metadata::TopicImage> Topic(const std::string& name) {
    return Image()->FindTopic(std::string_view(name));
  }

  /// Nothing belongs to a topic that is not there.
  void ExpectNoLeftovers() {
    const auto image = Image();
    for (const metadata::KeyValue& entry : List("")) {
      const metadata::ParsedKey key = metadata::ParseKey(entry.key);
      if (key.topic.is_nil()) continue;
      EXPECT_NE(image->FindTopic(key.topic), nullptr) << "left behind: " << entry.key;
    }
  }

 private:
  void StartController() {
    faulty_ = std::make_unique<support::FaultyMetadataStore>(*store_);
    controller_ = std::make_unique<TopicController>(
        TopicController::Options{},
        TopicController::Dependencies{*faulty_, executor_, clock_, random_});
  }

  support::ManualClock clock_;
  support::ManualExecutor store_executor_{clock_};
  support::ManualExecutor executor_{clock_};
  CountingRandom random_;
  std::unique_ptr<metadata::MetadataStore> store_ = metadata::MakeMemoryStore({}, store_executor_);
  std::unique_ptr<support::FaultyMetadataStore> faulty_;
  std::unique_ptr<TopicController> controller_;
};

}  // namespace talosmq::controller
