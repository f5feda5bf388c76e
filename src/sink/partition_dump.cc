#include "sink/partition_dump.h"

#include "base/check.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "record/batch.h"
#include "sink/file_name.h"
#include "sink/source_errors.h"

#include <optional>
#include <utility>
#include <variant>

namespace talosmq::sink {

PartitionDump::PartitionDump(const Services& services, PartitionAssignment assignment,
                             std::unique_ptr<Target> target, Ended ended)
    : services_(services),
      assignment_(std::move(assignment)),
      target_(std::move(target)),
      ended_(std::move(ended)),
      version_(assignment_.stored.has_value() ? assignment_.stored->version : StateVersion::kNone) {
}

std::string PartitionDump::Where() const {
  return base::StrCat("dump job '", assignment_.key.job, "', partition ", assignment_.topic, "/",
                      assignment_.source.partition.value());
}

void PartitionDump::Start() {
  if (!assignment_.stored.has_value()) return FindStart();
  TaskRecord record = assignment_.stored->record;
  if (record.topic_id != assignment_.source.topic_id) {
    return End(
        MakeError(Reason::kCorruptData,
                  base::StrCat("its position belongs to topic id ", record.topic_id.ToString(),
                               ", expected ", assignment_.source.topic_id.ToString())));
  }
  record.epoch += 1;
  Claim(std::move(record));
}

void PartitionDump::FindStart() {
  services_.source.FindStart(assignment_.source,
                             [self = shared_from_this()](absl::StatusOr<Offset> start) {
                               self->services_.executor.Post([self, start = std::move(start)] {
                                 if (self->is_over_) return;
                                 self->OnStartFound(start);
                               });
                             });
}

void PartitionDump::OnStartFound(const absl::StatusOr<Offset>& start) {
  if (is_over_) return;
  if (start.ok()) {
    TaskRecord record;
    record.epoch = 1;
    record.topic_id = assignment_.source.topic_id;
    record.next_offset = *start;
    return Claim(std::move(record));
  }
  if (!IsTransientSourceError(ReasonOf(start.status()))) return End(start.status());
  RetryLater([this] { FindStart(); });
}

void PartitionDump::Claim(TaskRecord record) {
  is_claiming_ = true;
  record.claim = assignment_.claim;
  Save(record, [this, record] { OnClaimed(record); });
}

void PartitionDump::OnClaimed(TaskRecord record) {
  files_.emplace(*target_, services_.format, record.epoch);
  machine_.emplace(std::move(record), assignment_.roll);
  if (is_finishing_) machine_->FinishSoon();
  Do(machine_->Start());
}

void PartitionDump::FinishSoon() {
  if (is_over_) return;
  is_finishing_ = true;
  // Before the claim nothing is open, and what an earlier epoch left stays as well saved as it is.
  if (!is_claiming_) return End(absl::OkStatus());
  if (!machine_.has_value()) return;
  if (auto action = machine_->FinishSoon(); action.has_value()) Do(*std::move(action));
}

void PartitionDump::Do(TaskAction action) {
  services_.executor.Cancel(std::exchange(timer_, base::TimerId::kNone));
  ++read_round_;
  std::visit([this](const auto& what) { DoAction(what); }, action);
}

void PartitionDump::DoAction(const ReadRecords& action) {
  ArmTimer();
  services_.source.Read(
      assignment_.source, action.offset, kReadBytesMax, kReadWait,
      [self = shared_from_this(), round = read_round_](absl::StatusOr<SourceRead> read) {
        self->services_.executor.Post([self, round, read = std::move(read)]() mutable {
          self->OnRead(round, std::move(read));
        });
      });
}

void PartitionDump::DoAction(const SealFiles& action) { OnActionDone(files_->Seal(action.files)); }

void PartitionDump::DoAction(const SaveRecord& action) {
  Save(action.record, [this] { OnActionDone(absl::OkStatus()); });
}

void PartitionDump::DoAction(const PublishFiles& action) {
  const absl::Status published = target_->Publish(action.intent);
  if (published.ok()) {
    for (const CommittedFile& file : action.intent.files) {
      services_.counters.files.Add(1);
      services_.counters.records.Add(file.records);
      services_.counters.bytes.Add(static_cast<int64_t>(file.bytes));
    }
  }
  OnActionDone(published);
}

void PartitionDump::DoAction(const SweepFiles& action) {
  OnActionDone(target_->Sweep(action.epoch_max));
}

void PartitionDump::DoAction(const TaskEnded&) { End(unreadable_); }

void PartitionDump::EndWhenPublished() {
  if (auto action = machine_->FinishSoon(); action.has_value()) Do(*std::move(action));
}

void PartitionDump::OnActionDone(const absl::Status& status) {
  if (!status.ok()) return End(status);
  Do(machine_->OnDone());
}

void PartitionDump::ArmTimer() {
  timer_ = services_.executor.PostAfter(machine_->TimeToNext(Now()),
                                        [self = shared_from_this()] { self->OnTimer(); });
}

void PartitionDump::OnTimer() {
  if (is_over_ || !machine_->is_reading()) return;
  if (auto action = machine_->OnTime(Now()); action.has_value()) return Do(*std::move(action));
  ArmTimer();
}

void PartitionDump::OnRead(uint64_t round, absl::StatusOr<SourceRead> read) {
  if (is_over_ || round != read_round_) return;
  const std::optional<CorruptRange> damaged = CorruptRangeOf(read.status());
  if (damaged.has_value() && damaged->next > machine_->position()) {
    const absl::Status why = base::Annotate(
        read.status(), base::StrCat("reading at offset ", machine_->position().value()));
    if (!PassOver(damaged->next, why).ok()) return EndWhenPublished();
    return Do(machine_->OnRead(damaged->next, Now()));
  }
  if (!read.ok()) {
    if (!IsTransientSourceError(ReasonOf(read.status()))) {
      return End(base::Annotate(
          read.status(), ReasonOf(read.status()) == Reason::kUnknownTopicId
                             ? std::string("its topic was deleted")
                             : base::StrCat("reading at offset ", machine_->position().value())));
    }
    return RetryLater([self = shared_from_this(), round] {
      if (self->is_over_ || round != self->read_round_) return;
      self->Do(ReadRecords{self->machine_->position()});
    });
  }
  back_off_.Reset();
  high_watermark_ = read->high_watermark;
  const Moment now = Now();
  const absl::StatusOr<Offset> position = Take(*read, now);
  if (!unreadable_.ok()) return EndWhenPublished();
  if (!position.ok()) return End(position.status());
  Do(machine_->OnRead(*position, now));
}

absl::StatusOr<Offset> PartitionDump::Take(const SourceRead& read, Moment now) {
  for (const base::Buffer& chunk : read.chunks) {
    base::ByteSpan rest = chunk.bytes();
    while (!rest.empty()) {
      TALOSMQ_ASSIGN_OR_RETURN(const record::BatchHeader header, record::ParseHeader(rest));
      if (header.size() > rest.size()) {
        return MakeError(Reason::kCorruptData,
                         base::StrCat("batch of offsets ", header.base_offset.value(), " to ",
                                      header.last_offset().value(), ": expected ", header.size(),
                                      " bytes, found ", rest.size()));
      }
      TALOSMQ_ASSIGN_OR_RETURN(const bool go_on, TakeBatch(header, rest.first(header.size()), now));
      if (!go_on) {
        TALOSMQ_RETURN_IF_ERROR(files_->WriteThrough());
        return machine_->position();
      }
      rest = rest.subspan(header.size());
    }
  }
  TALOSMQ_RETURN_IF_ERROR(files_->WriteThrough());
  return read.next_offset;
}

absl::StatusOr<bool> PartitionDump::TakeBatch(const record::BatchHeader& header,
                                              base::ByteSpan batch, Moment now) {
  if (header.is_control() || header.end_offset() <= machine_->position()) return true;
  auto reader = record::BatchReader::Open(batch, record::DecodeLimits{});
  absl::Status readable = reader.status();
  while (readable.ok()) {
    const auto next = reader->Next();
    readable = next.status();
    if (!readable.ok()) break;
    const std::optional<record::RecordView>& view = *next;
    if (!view.has_value()) return true;
    if (view->offset < machine_->position()) continue;
    const std::optional<int32_t> ordinal = machine_->Place(HourOf(view->timestamp_ms), now);
    if (!ordinal.has_value()) return false;
    TALOSMQ_ASSIGN_OR_RETURN(const uint64_t bytes,
                             files_->Append(*ordinal, {.topic = assignment_.topic,
                                                       .partition = assignment_.source.partition,
                                                       .timestamp_type = header.timestamp_type(),
                                                       .record = *view}));
    if (machine_->Added(*ordinal, view->offset, bytes)) return false;
  }
  TALOSMQ_RETURN_IF_ERROR(PassOver(header.end_offset(), readable));
  return true;
}

absl::Status PartitionDump::PassOver(Offset next, const absl::Status& why) {
  // A wrong CRC came about on the way here: the next read may bring the batch as it is.
  const bool is_stored_so = ReasonOf(why) != Reason::kCorruptBatch;
  if (assignment_.on_corrupt == OnCorrupt::kFail || !is_stored_so) return unreadable_ = why;
  base::LogWarning("sink", Where(), ": leaves out offsets ", machine_->position().value(), " to ",
                   next.value() - 1, ": ", base::FromAbsl(why.message()));
  services_.counters.skipped.Add(next - machine_->position());
  machine_->Skip(next);
  return absl::OkStatus();
}

void PartitionDump::Save(TaskRecord record, base::Task saved) {
  TaskRecord copy = record;
  services_.state.SaveTask(
      assignment_.key, std::move(copy), {.job = assignment_.job_version, .task = version_},
      [self = shared_from_this(), record = std::move(record),
       saved = std::move(saved)](absl::StatusOr<StateVersion> version) mutable {
        if (self->is_over_) return;
        if (version.ok()) {
          self->version_ = *version;
          self->back_off_.Reset();
          return saved();
        }
        if (ReasonOf(version.status()) != Reason::kMetadataUnavailable) {
          return self->End(version.status());
        }
        self->RetryLater([self, record = std::move(record), saved = std::move(saved)]() mutable {
          self->Save(std::move(record), std::move(saved));
        });
      });
}

void PartitionDump::RetryLater(base::Task task) {
  retry_ = services_.executor.PostAfter(
      back_off_.Next(), [self = shared_from_this(), task = std::move(task)]() mutable {
        if (!self->is_over_) task();
      });
}

void PartitionDump::Stop() {
  if (is_over_) return;
  Release();
}

void PartitionDump::End(const absl::Status& status) {
  if (is_over_) return;
  Release();
  // Posted, so that whoever runs this may drop it from within.
  services_.executor.Post([ended = std::move(ended_),
                           status = base::Annotate(status, Where())]() mutable { ended(status); });
}

void PartitionDump::Release() {
  is_over_ = true;
  services_.executor.Cancel(timer_);
  services_.executor.Cancel(retry_);
  if (!machine_.has_value()) return;
  files_->GiveUp();
  if (machine_->may_have_intent()) return;
  const absl::Status swept = target_->Sweep(machine_->record().epoch);
  if (!swept.ok()) base::LogWarning("sink", Where(), ": open files stay behind: ", swept.message());
}

}  // namespace talosmq::sink
