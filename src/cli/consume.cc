#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/empty_reading.h"
#include "cli/group_reading.h"
#include "cli/offset_range.h"
#include "cli/progress.h"
#include "cli/read_plan.h"
#include "cli/record_printer.h"
#include "cli/skipped_text.h"
#include "cli/topic_reading.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::cli {
namespace {

struct ConsumeOptions {
  std::string topic;
  std::optional<std::string> group;
  std::optional<int32_t> partition;
  std::string range = "start";
  std::optional<int64_t> count;
  bool stops_at_end = false;
  OnCorrupt on_corrupt = OnCorrupt::kFail;
  std::optional<RecordFormat> format;
};

absl::StatusOr<OnCorrupt> ParseOnCorrupt(std::string_view text) {
  if (text == "fail") return OnCorrupt::kFail;
  if (text == "skip") return OnCorrupt::kSkip;
  return MakeError(Reason::kInvalidArgument, "expected fail or skip");
}

/// Where each partition that is asked for begins and ends now.
absl::StatusOr<std::vector<LogExtent>> FindExtents(const ConsumeOptions& options,
                                                   const OffsetRange& range, Consumer& consumer,
                                                   Session& session) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto admin, session.ConnectAdmin());
  TALOSMQ_ASSIGN_OR_RETURN(const TopicInfo topic, admin->DescribeTopic(options.topic));
  const auto* const from = std::get_if<absl::Time>(&range.from);
  const auto* const to = range.to.has_value() ? std::get_if<absl::Time>(&*range.to) : nullptr;
  std::vector<LogExtent> extents;
  for (const PartitionInfo& info : topic.partitions) {
    if (options.partition.value_or(info.partition.value()) != info.partition.value()) continue;
    TALOSMQ_RETURN_IF_ERROR(info.status);
    LogExtent extent{.partition = info.partition,
                     .start = info.log_start,
                     .end = info.high_watermark,
                     .from_time = {},
                     .to_time = {}};
    if (from != nullptr) {
      TALOSMQ_ASSIGN_OR_RETURN(extent.from_time, consumer.FindOffset(info.partition, *from));
    }
    if (to != nullptr) {
      TALOSMQ_ASSIGN_OR_RETURN(extent.to_time, consumer.FindOffset(info.partition, *to));
    }
    extents.push_back(extent);
  }
  if (!extents.empty()) return extents;
  return MakeError(Reason::kUnknownPartition,
                   base::StrCat("topic '", options.topic, "' has partitions 0 to ",
                                topic.partitions.size() - 1, ", no ", *options.partition));
}

std::string DescribeNext(const std::map<PartitionId, Offset>& next_offsets) {
  std::string text;
  for (const auto& [partition, next] : next_offsets) {
    text +=
        base::StrCat(text.empty() ? "" : ", ", "partition ", partition.value(), ": ", next.value());
  }
  return text;
}

std::string Describe(const ConsumeOptions& options) {
  const std::string topic = base::StrCat("topic '", options.topic, "'");
  if (!options.partition.has_value()) return topic;
  return base::StrCat("partition ", *options.partition, " of ", topic);
}

/// One run of `consume`, from the plan to what is said at its end. Thread-compatible.
class Reader {
 public:
  Reader(const ConsumeOptions& options, Session& session)
      : options_(options),
        session_(session),
        printer_({.topic = options.topic,
                  .form = session.form(),
                  .format = options.format.value_or(RecordFormat::ValueLines())},
                 [&session](std::string_view text) { return session.Print(text); }) {}

  ExitStatus Run(const OffsetRange& range) {
    const absl::StatusOr<ExitStatus> ended = Read(range);
    return ended.ok() ? *ended : session_.Fail(ended.status());
  }

 private:
  absl::StatusOr<ExitStatus> Read(const OffsetRange& range);
  absl::StatusOr<TopicReading::End> ReadRecords(TopicReading& reading);
  absl::Status Flush(const TopicReading& reading);
  ExitStatus Report(const absl::StatusOr<TopicReading::End>& end, const TopicReading& reading,
                    const OffsetRange& range, const std::vector<LogExtent>& extents);

  const ConsumeOptions& options_;
  Session& session_;
  RecordPrinter printer_;
  /// Where to go on after what is written, which may be less than what was read.
  std::map<PartitionId, Offset> next_written_;
};

absl::StatusOr<ExitStatus> Reader::Read(const OffsetRange& range) {
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, session_.Connect());
  ConsumerOptions consumer_options;
  consumer_options.on_corrupt = options_.on_corrupt;
  consumer_options.on_skipped = [this](const SkippedOffsets& skipped) {
    session_.Note(DescribeSkipped(skipped));
  };
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Consumer> consumer,
                           Consumer::Create(*client, options_.topic, std::move(consumer_options)));
  TALOSMQ_ASSIGN_OR_RETURN(const std::vector<LogExtent> extents,
                           FindExtents(options_, range, *consumer, session_));
  TALOSMQ_ASSIGN_OR_RETURN(
      const ReadPlan plan,
      PlanRead(range, extents, options_.stops_at_end ? AtLogEnd::kStop : AtLogEnd::kWait));
  for (const std::string& note : plan.notes) session_.Note(note);
  TopicReading reading(*consumer, plan);
  TALOSMQ_RETURN_IF_ERROR(reading.Begin());
  // From here on every wait is short, and one for the reader of the output must not cut a record.
  session_.FollowWhenInterrupted(std::nullopt);
  next_written_ = reading.next_offsets();
  return Report(ReadRecords(reading), reading, range, extents);
}

absl::StatusOr<TopicReading::End> Reader::ReadRecords(TopicReading& reading) {
  Progress progress(session_.err(), session_.clock());
  // A progress line between the records on one screen would only be in the way.
  const bool shows_progress = !session_.IsOutputTerminal();
  auto end = reading.Run(
      options_.count, session_.interrupt(),
      [&](PartitionId partition, const ConsumedRecord& record) {
        if (shows_progress) progress.Show(reading.records(), reading.bytes());
        if (printer_.IsFull()) TALOSMQ_RETURN_IF_ERROR(Flush(reading));
        printer_.Print(partition, record);
        return absl::OkStatus();
      },
      [&] { return Flush(reading); });
  // Records taken before an error are told all the same, and before it.
  const absl::Status flushed = Flush(reading);
  if (end.ok() && !flushed.ok()) return flushed;
  return end;
}

absl::Status Reader::Flush(const TopicReading& reading) {
  TALOSMQ_RETURN_IF_ERROR(printer_.Flush());
  next_written_ = reading.next_offsets();
  return absl::OkStatus();
}

ExitStatus Reader::Report(const absl::StatusOr<TopicReading::End>& end, const TopicReading& reading,
                          const OffsetRange& range, const std::vector<LogExtent>& extents) {
  if (!end.ok()) {
    if (ReasonOf(end.status()) == Reason::kClosed) return ExitStatus::kDone;
    session_.Note(base::StrCat("next offsets: ", DescribeNext(next_written_)));
    return session_.Fail(end.status());
  }
  switch (*end) {
    case TopicReading::End::kInterrupted:
      session_.Note(base::StrCat("interrupted after ", reading.records(),
                                 " records; next offsets: ", DescribeNext(next_written_)));
      // Without something to finish, Ctrl-C is the way to end.
      return options_.stops_at_end || options_.count.has_value() || range.to.has_value()
                 ? ExitStatus::kFailed
                 : ExitStatus::kDone;
    case TopicReading::End::kStops:
      if (reading.records() == 0) {
        session_.Note(
            base::StrCat("nothing was read: ",
                         WhyNothingWasRead(Describe(options_), options_.range, range, extents)));
      }
      return ExitStatus::kDone;
    case TopicReading::End::kCount:
      return ExitStatus::kDone;
  }
  return ExitStatus::kFailed;
}

ExitStatus RunAsGroup(const ConsumeOptions& options, Session& session) {
  if (options.partition.has_value()) {
    return session.FailUsage("--partition: a group shares all partitions; it goes without --group");
  }
  const auto start = ParsePosition(options.range, session.clock().Now());
  if (!start.ok()) {
    return session.FailUsage(
        base::StrCat("--offset: with --group it is where to begin with what "
                     "the group has not read: ",
                     base::FromAbsl(start.status().message())));
  }
  return ReadAsGroup({.group = *options.group,
                      .topic = options.topic,
                      .start = *start,
                      .count = options.count,
                      .stops_at_end = options.stops_at_end,
                      .on_corrupt = options.on_corrupt,
                      .format = options.format.value_or(RecordFormat::ValueLines())},
                     session);
}

ExitStatus Run(const ConsumeOptions& options, Session& session) {
  const auto range = ParseOffsetRange(options.range, session.clock().Now());
  if (!range.ok()) {
    return session.FailUsage(base::StrCat("--offset: ", base::FromAbsl(range.status().message())));
  }
  if (options.format.has_value() && session.form() != OutputForm::kTable) {
    return session.FailUsage("--format shapes plain output; it goes with -o table only");
  }
  if (options.group.has_value()) return RunAsGroup(options, session);
  return Reader(options, session).Run(*range);
}

}  // namespace

void AddConsume(CLI::App& parent, Action& selected) {
  auto [command, options] =
      AddCommand<ConsumeOptions>(parent, "consume", "Print the records of a topic", Run, selected);
  command->add_option("TOPIC", options->topic, "What to read")->required();
  command
      ->add_option("-g,--group", options->group,
                   "Share the topic with the other members of this group: go on where it has "
                   "committed, commit what was printed. Default: read on one's own")
      ->type_name("GROUP");
  command->add_option("--partition", options->partition, "Read this one only; default: all")
      ->check(AtLeast(0));
  command
      ->add_option("-O,--offset", options->range,
                   "Where to begin, or from where to where: PLACE, PLACE.., ..PLACE or "
                   "PLACE..PLACE, see below; default start")
      ->type_name("OFFSETS");
  command->add_option("-n,--count", options->count, "Stop after so many records; default: never")
      ->check(AtLeast(1));
  command->add_flag("-e,--end", options->stops_at_end,
                    "Stop at the end as it is now; default: wait for more");
  AddParsed(*command, "--on-corrupt", options->on_corrupt, ParseOnCorrupt,
            "At records that cannot be read, since their bytes are damaged: stop, or skip them and "
            "say so; default fail")
      ->type_name("fail|skip");
  AddParsed(*command, "-f,--format", options->format, RecordFormat::Parse,
            "How to print a record: %t topic, %p partition, %o offset, %k key, %v value, %T "
            "timestamp in ms, %h headers as key=value,..., %%, \\n, \\t, \\\\; default %v\\n")
      ->type_name("FORMAT");
  command->footer(
      "A PLACE in each partition is start, end, an offset N, -N (N records before the end) or\n"
      "@TIME (the first record stamped then or later); what stands after '..' is the first left\n"
      "out. A TIME is RFC 3339, YYYY-MM-DD (UTC), epoch seconds (up to 11 digits) or "
      "milliseconds,\n"
      "or a time ago with ms, s, m, h or d (-1h).\n"
      "With -o json every record is a line of its own, with its headers as a list. Ctrl-C ends\n"
      "with whole lines and tells where to go on; while no server answers, reading waits for one.\n"
      "With -g, -O is a single PLACE (not -N) for partitions of which the group has committed\n"
      "nothing, -e waits until the group has read to the end as it is now, and Ctrl-C or SIGTERM\n"
      "commit, leave the group and end.\n"
      "\n"
      "Examples:\n"
      "  talosmq consume orders -e\n"
      "  talosmq consume orders -O -10 -f '%p %o %k %v\\n'\n"
      "  talosmq consume orders --partition 3 -O 100..200 -o json\n"
      "  talosmq consume orders -O @2026-11-22..@-1h\n"
      "  talosmq consume orders -O @2026-11-22T21:00:00+02:00..end\n"
      "  talosmq consume orders -O -100..@1795381200\n"
      "  talosmq consume orders -e --on-corrupt skip\n"
      "  talosmq consume orders -g billing");
}

}  // namespace talosmq::cli
