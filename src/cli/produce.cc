#include "base/executor.h"
#include "base/status.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/delivery_tally.h"
#include "cli/escapes.h"
#include "cli/line_reader.h"
#include "cli/line_sender.h"
#include "cli/produce_options.h"
#include "cli/progress.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace talosmq::cli {
namespace {

/// What a server takes at most for one record, by default.
constexpr size_t kLineBytesMax = 10 << 20;
/// How many lines go by between two looks at whether a batch has failed.
constexpr int64_t kLinesPerLook = 256;

absl::StatusOr<Compression> ParseCompression(std::string_view name) {
  if (name == "none") return Compression::kNone;
  if (name == "gzip") return Compression::kGzip;
  if (name == "snappy") return Compression::kSnappy;
  if (name == "lz4") return Compression::kLz4;
  if (name == "zstd") return Compression::kZstd;
  return MakeError(
      Reason::kInvalidArgument,
      base::StrCat("'", name, "' is no codec; there are none, gzip, snappy, lz4 and zstd"));
}

absl::StatusOr<Acks> ParseAcks(std::string_view name) {
  if (name == "all") return Acks::kAll;
  if (name == "leader") return Acks::kLeader;
  if (name == "none") return Acks::kNone;
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", name, "' is not one of all, leader and none"));
}

absl::StatusOr<std::string> ParseDelimiter(std::string_view text) {
  TALOSMQ_ASSIGN_OR_RETURN(std::string delimiter, Unescape(text));
  if (delimiter.empty() || delimiter.find('\n') != std::string::npos) {
    return MakeError(Reason::kInvalidArgument,
                     "a delimiter is one character or more, and no newline, as in -k ':'");
  }
  return delimiter;
}

/// How long Ctrl-C waits for what is under way before the program ends without it.
constexpr absl::Duration kLastAnswersWait = absl::Seconds(5);

struct Sent {
  int64_t records = 0;
  int64_t bytes = 0;
  absl::Status stopped;  ///< Why reading ended before the end of the input; OK: it did not.
};

/// Said when Ctrl-C found the server silent.
std::string DescribeCutShort(const DeliveryTally& tally) {
  const DeliveryTally::Totals totals = tally.totals();
  const int64_t open = totals.accepted - totals.acknowledged - totals.certainly_not_stored;
  return base::StrCat("interrupted, and the server does not answer: ", totals.acknowledged,
                      " records are acknowledged, ", totals.accepted - totals.acknowledged,
                      " are not; of these ", open, " may be stored");
}

/// One load of lines, from the first to the report at its end. Thread-compatible.
class Load {
 public:
  Load(const ProduceOptions& options, Session& session)
      : options_(options),
        session_(session),
        // The producer's thread must not wait for whoever reads our output.
        printer_({.name = "cli-acks"}),
        tally_(std::make_shared<DeliveryTally>(
            session.form() == OutputForm::kTable ? DeliveryTally::OnBatch()
                                                 : [this](const AcknowledgedBatch& batch) {
                                                     printer_.Post([this, batch] { Print(batch); });
                                                   })) {}

  ExitStatus Run() {
    const absl::StatusOr<Sent> sent = SendAll();
    printer_.Stop();
    if (!sent.ok()) return session_.Fail(sent.status());
    return Report(*sent);
  }

 private:
  absl::StatusOr<Sent> SendAll();
  void SendLines(LineReader& lines, LineSender& sender, Sent& sent);
  bool TakeLine(std::string_view line, int64_t number, LineSender& sender, Sent& sent);
  void Print(const AcknowledgedBatch& batch);
  ExitStatus Report(const Sent& sent);
  ExitStatus ReportFailure(const Sent& sent, const DeliveryTally::Totals& totals);

  const ProduceOptions& options_;
  Session& session_;
  base::ThreadExecutor printer_;
  /// Shared with what is told when the program has to end while this still waits.
  const std::shared_ptr<DeliveryTally> tally_;
  absl::Status printed_;  ///< The first failure to print. Confined to printer_ while it runs.
  absl::Duration took_;
};

absl::StatusOr<Sent> Load::SendAll() {
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<io::InputStream> input,
                           io::InputStream::Open(options_.file, session_.interrupt().descriptor()));
  TALOSMQ_ASSIGN_OR_RETURN(Client* const client, session_.Connect());
  ProducerOptions producer_options;
  producer_options.acks = options_.acks;
  producer_options.idempotent = options_.acks == Acks::kAll;
  producer_options.compression = options_.compression;
  producer_options.on_delivery = [this](std::span<const Delivery> batch) { tally_->Count(batch); };
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<Producer> producer,
                           Producer::Create(*client, options_.topic, std::move(producer_options)));

  session_.FollowWhenInterrupted(ForcedEnd::Plan{
      .after = kLastAnswersWait, .words = [tally = tally_] { return DescribeCutShort(*tally); }});
  LineReader lines([&input](base::MutableByteSpan into) { return input->Read(into); },
                   kLineBytesMax);
  LineSender sender(options_, *producer);
  const absl::Duration began = session_.clock().Monotonic();
  Sent sent;
  SendLines(lines, sender, sent);
  // Every accepted record has been told to the tally by now, also what failed.
  producer->Close().IgnoreError();
  took_ = session_.clock().Monotonic() - began;
  return sent;
}

void Load::SendLines(LineReader& lines, LineSender& sender, Sent& sent) {
  Progress progress(session_.err(), session_.clock());
  while (true) {
    const absl::StatusOr<std::optional<std::string_view>> line = lines.Next();
    if (!line.ok()) {
      sent.stopped = line.status();
      return;
    }
    if (!line->has_value() || !TakeLine(**line, lines.line_number(), sender, sent)) return;
    progress.Show(sent.records, sent.bytes);
  }
}

/// False when no further line should be sent.
bool Load::TakeLine(std::string_view line, int64_t number, LineSender& sender, Sent& sent) {
  const absl::Status accepted = sender.Send(line, number);
  if (!accepted.ok()) {
    tally_->CountRefused(static_cast<uint64_t>(number), accepted);
    return false;
  }
  tally_->NoteAccepted();
  ++sent.records;
  sent.bytes += static_cast<int64_t>(line.size());
  // After a failure more lines would only leave a gap in what is stored.
  return number % kLinesPerLook != 0 || tally_->totals().first_failure.ok();
}

void Load::Print(const AcknowledgedBatch& batch) {
  const Document document{{"partition", batch.partition.value()},
                          {"first_offset", batch.first_offset.value()},
                          {"last_offset", batch.last_offset.value()},
                          {"count", batch.count}};
  // A reader that has gone does not stop the load; the report at the end still tells about it.
  const absl::Status printed = session_.Print(RenderStreamed(document, session_.form()));
  if (printed_.ok() && ReasonOf(printed) != Reason::kClosed) printed_ = printed;
}

ExitStatus Load::Report(const Sent& sent) {
  const DeliveryTally::Totals totals = tally_->totals();
  if (!totals.first_failure.ok() || !sent.stopped.ok()) return ReportFailure(sent, totals);
  if (sent.records == 0) {
    session_.Note(
        base::StrCat("nothing was sent: ", options_.file == "-" ? "standard input" : options_.file,
                     " holds no line"));
    return ExitStatus::kDone;
  }
  const std::string_view what =
      options_.acks == Acks::kNone ? "sent, unacknowledged as asked: " : "acknowledged: ";
  session_.Note(base::StrCat(what, DescribeRate(sent.records, sent.bytes, took_)));
  if (!printed_.ok()) return session_.Fail(base::Annotate(printed_, "all is stored, but not told"));
  return ExitStatus::kDone;
}

ExitStatus Load::ReportFailure(const Sent& sent, const DeliveryTally::Totals& totals) {
  std::string text = base::StrCat(totals.acknowledged, " records are acknowledged, ",
                                  totals.not_acknowledged, " are not");
  if (!totals.first_failure.ok()) {
    text += base::StrCat("; the first is line ", totals.first_failed_line);
    if (ReasonOf(totals.first_failure) == Reason::kMaybeStored) text += " (it may be stored)";
    return session_.Fail(base::Annotate(totals.first_failure, text));
  }
  return session_.Fail(base::Annotate(
      sent.stopped, base::StrCat(text, "; reading stopped after line ", sent.records)));
}

ExitStatus Run(const ProduceOptions& options, Session& session) {
  return Load(options, session).Run();
}

void AddRecordOptions(CLI::App& command, ProduceOptions& options) {
  AddParsed(
      command, "-k,--key-delimiter", options.key_delimiter, ParseDelimiter,
      "What stands before it is the key; a line without it is refused; \\t is a tab. Default: "
      "lines have no key")
      ->type_name("DELIMITER");
  command
      .add_option("--partition", options.partition,
                  "Send everything there; default: by key, or in turn")
      ->check(AtLeast(0));
  AddParsed(command, "-z,--compression", options.compression, ParseCompression,
            "How batches are compressed; default none")
      ->type_name("none|gzip|snappy|lz4|zstd");
  AddParsed(
      command, "--acks", options.acks, ParseAcks,
      "What is waited for: durable on every replica in sync; durable on the leader; no answer. "
      "Default all")
      ->type_name("all|leader|none");
  auto& headers = options.headers;
  AddRepeated(
      command, "-H,--header", ParseKeyValue,
      [&headers](KeyValue header) { headers.push_back(std::move(header)); },
      "A header of every record; may be given several times, order and repeated keys are kept")
      ->type_name("KEY=VALUE");
}

}  // namespace

void AddProduce(CLI::App& parent, Action& selected) {
  auto [command, options] = AddCommand<ProduceOptions>(
      parent, "produce", "Send lines to a topic, one record a line", Run, selected);
  command->add_option("TOPIC", options->topic, "Where to")->required();
  command->add_option("-f,--file", options->file, "What to send; default: standard input")
      ->type_name("FILE");
  AddRecordOptions(*command, *options);
  command->footer(
      "An empty line is a record with an empty value; the last line counts without a newline too.\n"
      "With -o json every acknowledged batch is a line: partition, first_offset, last_offset, "
      "count.\n"
      "Ctrl-C ends the input and waits up to 5 s for the last answers; what was acknowledged, and\n"
      "what may be stored, is told. A record without an answer is tried again for 2 minutes.\n"
      "\n"
      "Examples:\n"
      "  talosmq produce orders -f orders.jsonl\n"
      "  echo 'alice:42' | talosmq produce orders -k : -H source=shell -o json\n"
      "  zcat big.gz | talosmq produce orders -z zstd\n"
      "  talosmq produce orders -H trace=7 -H trace=8 --acks leader --partition 3 < lines");
}

}  // namespace talosmq::cli
