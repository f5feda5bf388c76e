#include "cli/group_reading.h"

#include "base/status.h"
#include "base/text.h"
#include "cli/record_printer.h"
#include "cli/skipped_text.h"
#include "talosmq/error.h"
#include "talosmq/group_consumer.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

/// How soon Ctrl-C is noticed while nothing comes.
constexpr absl::Duration kPollWait = absl::Milliseconds(100);
/// How often to ask how far the other members have come.
constexpr absl::Duration kOthersEvery = absl::Milliseconds(500);

/// One run of `consume -g`. Thread-compatible.
class GroupReading {
 public:
  GroupReading(const GroupReadingOptions& options, Session& session)
      : options_(options),
        session_(session),
        printer_({.topic = options.topic, .form = session.form(), .format = options.format},
                 [&session](std::string_view text) { return session.Print(text); }) {}

  absl::StatusOr<ExitStatus> Run();

 private:
  enum class End { kStops, kCount, kInterrupted };

  absl::Status Begin(Client& client);
  absl::StatusOr<End> Read();
  absl::Status Print(const PolledGroupRecords& polled);
  absl::Status Flush();
  absl::StatusOr<bool> IsAtEnd();
  absl::Status Leave();
  ExitStatus Report(const absl::StatusOr<End>& end);
  bool HasEnough() const { return options_.count.has_value() && records_ >= *options_.count; }
  NamedPartition NameOf(PartitionId partition) const {
    return {.topic = options_.topic, .partition = partition};
  }

  const GroupReadingOptions& options_;
  Session& session_;
  RecordPrinter printer_;
  std::unique_ptr<Admin> admin_;
  std::unique_ptr<GroupConsumer> consumer_;
  std::map<PartitionId, Offset> ends_;  ///< Of partitions that hold something, at the beginning.
  /// Where to go on after what was handed to the printer.
  std::map<PartitionId, Offset> printed_;
  std::map<PartitionId, Offset> written_;  ///< The same of what was written.
  absl::Duration others_asked_ = -absl::InfiniteDuration();
  int64_t records_ = 0;
};

absl::StatusOr<ExitStatus> GroupReading::Run() {
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, session_.Connect());
  TALOSMQ_RETURN_IF_ERROR(Begin(*client));
  // What was printed is to be committed before the program ends.
  session_.FollowWhenInterrupted(std::nullopt);
  const absl::StatusOr<End> end = Read();
  const absl::Status left = Leave();
  if (end.ok() && !left.ok()) return left;
  return Report(end);
}

absl::Status GroupReading::Begin(Client& client) {
  TALOSMQ_ASSIGN_OR_RETURN(admin_, session_.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo topic, admin_->DescribeTopic(options_.topic));
  for (const PartitionInfo& partition : topic.partitions) {
    TALOSMQ_RETURN_IF_ERROR(partition.status);
    if (partition.log_start < partition.high_watermark) {
      ends_[partition.partition] = partition.high_watermark;
    }
  }
  GroupConsumerOptions consumer;
  consumer.member.group = options_.group;
  consumer.member.client_id = "talosmq consume";
  consumer.member.subscription.topics = {options_.topic};
  consumer.member.start.otherwise = options_.start;
  consumer.auto_commit_interval = absl::Seconds(1);
  consumer.on_corrupt = options_.on_corrupt;
  consumer.on_skipped = [this](const std::string& /*topic*/, const SkippedOffsets& skipped) {
    session_.Note(DescribeSkipped(skipped));
  };
  // Where a partition goes on is its next owner's to say.
  consumer.on_revoked = consumer.on_lost = [this](const std::vector<NamedPartition>& gone) {
    for (const NamedPartition& partition : gone) {
      printed_.erase(partition.partition);
      written_.erase(partition.partition);
    }
  };
  TALOSMQ_ASSIGN_OR_RETURN(consumer_, GroupConsumer::Create(client, std::move(consumer)));
  return absl::OkStatus();
}

absl::StatusOr<GroupReading::End> GroupReading::Read() {
  while (true) {
    if (session_.interrupt().IsRaised()) return End::kInterrupted;
    if (HasEnough()) return End::kCount;
    if (options_.stops_at_end) {
      TALOSMQ_ASSIGN_OR_RETURN(const bool is_at_end, IsAtEnd());
      if (is_at_end) return End::kStops;
    }
    TALOSMQ_ASSIGN_OR_RETURN(const PolledGroupRecords polled, consumer_->Poll(kPollWait));
    TALOSMQ_RETURN_IF_ERROR(Print(polled));
    TALOSMQ_RETURN_IF_ERROR(Flush());
  }
}

absl::Status GroupReading::Print(const PolledGroupRecords& polled) {
  // Where to go on, should nothing of it be written.
  for (auto batch = polled.batches.rbegin(); batch != polled.batches.rend(); ++batch) {
    printed_[batch->partition.partition] = batch->records.records().front().offset;
  }
  written_ = printed_;
  for (const GroupBatch& batch : polled.batches) {
    const PartitionId partition = batch.partition.partition;
    for (const ConsumedRecord& record : batch.records.records()) {
      if (HasEnough() || session_.interrupt().IsRaised()) return absl::OkStatus();
      if (printer_.IsFull()) TALOSMQ_RETURN_IF_ERROR(Flush());
      printer_.Print(partition, record);
      printed_[partition] = record.offset + 1;
      ++records_;
    }
  }
  return absl::OkStatus();
}

absl::Status GroupReading::Flush() {
  TALOSMQ_RETURN_IF_ERROR(printer_.Flush());
  written_ = printed_;
  return absl::OkStatus();
}

/// The group as a whole: what this member does not read, another one may have read.
absl::StatusOr<bool> GroupReading::IsAtEnd() {
  bool needs_others = false;
  for (const auto& [partition, end] : ends_) {
    const absl::StatusOr<Offset> position = consumer_->position(NameOf(partition));
    if (position.ok() && *position < end) return false;
    needs_others = needs_others || !position.ok();
  }
  if (!needs_others) return true;
  const absl::Duration now = session_.clock().Monotonic();
  if (now - others_asked_ < kOthersEvery) return false;
  others_asked_ = now;
  TALOSMQ_ASSIGN_OR_RETURN(const auto committed,
                           admin_->FetchGroupOffsets(options_.group, options_.topic));
  return std::ranges::all_of(ends_, [&](const auto& entry) {
    const auto& [partition, end] = entry;
    if (consumer_->position(NameOf(partition)).ok()) return true;
    const auto known = committed.find(partition);
    return known != committed.end() && known->second.offset >= end;
  });
}

absl::Status GroupReading::Leave() {
  // Of what was polled and not written somebody else makes a beginning.
  for (const auto& [partition, next] : written_) {
    const bool is_cut =
        HasEnough() || session_.interrupt().IsRaised() || next != printed_[partition];
    const absl::StatusOr<Offset> position = consumer_->position(NameOf(partition));
    if (!is_cut || !position.ok() || *position <= next) continue;
    TALOSMQ_RETURN_IF_ERROR(consumer_->Seek(NameOf(partition), next));
  }
  return consumer_->Close();
}

ExitStatus GroupReading::Report(const absl::StatusOr<End>& end) {
  if (!end.ok()) {
    if (ReasonOf(end.status()) == Reason::kClosed) return ExitStatus::kDone;
    return session_.Fail(end.status());
  }
  switch (*end) {
    case End::kInterrupted:
      session_.Note(base::StrCat("interrupted after ", records_, " records, which are committed"));
      // Without something to finish, Ctrl-C is the way to end.
      return options_.stops_at_end || options_.count.has_value() ? ExitStatus::kFailed
                                                                 : ExitStatus::kDone;
    case End::kStops:
      if (records_ == 0) {
        session_.Note(base::StrCat("nothing was read: group '", options_.group,
                                   "' has read topic '", options_.topic, "' to its end"));
      }
      return ExitStatus::kDone;
    case End::kCount:
      return ExitStatus::kDone;
  }
  return ExitStatus::kFailed;
}

}  // namespace

ExitStatus ReadAsGroup(const GroupReadingOptions& options, Session& session) {
  const absl::StatusOr<ExitStatus> ended = GroupReading(options, session).Run();
  return ended.ok() ? *ended : session.Fail(ended.status());
}

}  // namespace talosmq::cli
