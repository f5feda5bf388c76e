#include "talosmq/broadcast_consumer.h"

#include "base/status.h"
#include "base/text.h"
#include "client/client_core.h"
#include "client/option_checks.h"
#include "client/position_file.h"
#include "client/topic_lookup.h"
#include "io/file_system.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq {
namespace {

/// A Consumer of all partitions, whose positions at the last Poll go to a file. Thread-compatible.
class FileBroadcastConsumer final : public BroadcastConsumer {
 public:
  FileBroadcastConsumer(client::ClientCore& client, BroadcastConsumerOptions options, TopicId topic,
                        std::unique_ptr<io::FileSystem> file_system)
      : client_(client),
        options_(std::move(options)),
        topic_(topic),
        file_system_(std::move(file_system)),
        saved_at_(client.clock().Monotonic()) {}

  /// Begins where the file says, or without one the options, and keeps that.
  absl::Status Begin(std::unique_ptr<Consumer> consumer) {
    consumer_ = std::move(consumer);
    TALOSMQ_ASSIGN_OR_RETURN(const std::optional<client::KeptPositions> kept,
                             client::LoadPositions(*file_system_, options_.positions_file));
    if (kept && kept->topic != topic_) {
      return MakeError(
          Reason::kInvalidArgument,
          base::StrCat("positions file ", options_.positions_file, ": expected those of topic id ",
                       topic_.ToString(), ", found ", kept->topic.ToString(),
                       "; a topic that was made again has another id"));
    }
    for (; read_partitions_ < consumer_->partition_count(); ++read_partitions_) {
      const PartitionId partition(read_partitions_);
      // What came into being while this instance was away is read from its start.
      Position from = kept ? Position(AtStart()) : options_.start;
      if (kept && kept->offsets.contains(partition)) from = kept->offsets.at(partition);
      TALOSMQ_RETURN_IF_ERROR(consumer_->Add(partition, from));
    }
    // The end would be another one after a crash before the first Save.
    return Save();
  }

  absl::StatusOr<PolledRecords> Poll(absl::Duration wait) override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    if (client_.clock().Monotonic() >= saved_at_ + options_.save_interval) {
      TALOSMQ_RETURN_IF_ERROR(Save());
    }
    for (; read_partitions_ < consumer_->partition_count(); ++read_partitions_) {
      TALOSMQ_RETURN_IF_ERROR(consumer_->Add(PartitionId(read_partitions_), AtStart()));
    }
    return consumer_->Poll(wait);
  }

  absl::Status Seek(PartitionId partition, Position to) override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    return consumer_->Seek(partition, to);
  }

  std::vector<PartitionPosition> positions() const override {
    return consumer_ == nullptr ? std::vector<PartitionPosition>() : consumer_->positions();
  }

  absl::Status Save() override {
    TALOSMQ_RETURN_IF_ERROR(CheckOpen());
    client::KeptPositions positions{.topic = topic_, .offsets = {}};
    for (const PartitionPosition& position : consumer_->positions()) {
      positions.offsets[position.partition] = position.position;
    }
    if (positions != saved_) {
      TALOSMQ_RETURN_IF_ERROR(
          client::SavePositions(*file_system_, options_.positions_file, positions));
      saved_ = std::move(positions);
    }
    saved_at_ = client_.clock().Monotonic();
    return absl::OkStatus();
  }

  absl::Status Close() override {
    TALOSMQ_RETURN_IF_ERROR(Save());
    consumer_ = nullptr;
    return absl::OkStatus();
  }

 private:
  absl::Status CheckOpen() const {
    if (consumer_ != nullptr) return absl::OkStatus();
    return MakeError(Reason::kClosed, base::StrCat("the broadcast consumer of ",
                                                   options_.positions_file, " is closed"));
  }

  client::ClientCore& client_;
  const BroadcastConsumerOptions options_;
  const TopicId topic_;
  const std::unique_ptr<io::FileSystem> file_system_;
  std::unique_ptr<Consumer> consumer_;  ///< Null: closed.
  int32_t read_partitions_ = 0;         ///< Those below are read.
  client::KeptPositions saved_;
  absl::Duration saved_at_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<BroadcastConsumer>> BroadcastConsumer::Create(
    Client& client, std::string topic, BroadcastConsumerOptions options) {
  TALOSMQ_RETURN_IF_ERROR(client::CheckOptions(options));
  TALOSMQ_ASSIGN_OR_RETURN(const client::TopicImagePtr image,
                           client::FindTopic(client.core(), topic));
  TALOSMQ_ASSIGN_OR_RETURN(std::unique_ptr<Consumer> consumer,
                           Consumer::Create(client, std::move(topic), options.consumer));
  auto broadcast = std::make_unique<FileBroadcastConsumer>(client.core(), std::move(options),
                                                           image->id, io::MakePosixFileSystem());
  TALOSMQ_RETURN_IF_ERROR(broadcast->Begin(std::move(consumer)));
  return broadcast;
}

}  // namespace talosmq
