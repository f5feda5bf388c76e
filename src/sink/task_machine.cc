#include "sink/task_machine.h"

#include "base/check.h"

#include <algorithm>
#include <utility>

namespace talosmq::sink {
namespace {

/// How late a jump of the wall clock over the end of an hour may be noticed.
constexpr absl::Duration kTimeCheckMax = absl::Minutes(1);

absl::Time StartOfHour(absl::Time time) {
  const absl::Duration since_epoch = time - absl::UnixEpoch();
  return absl::UnixEpoch() + absl::Floor(since_epoch, absl::Hours(1));
}

}  // namespace

TaskAction TaskMachine::Start() {
  if (record_.intent.has_value()) {
    stage_ = Stage::kPublishing;
    return PublishFiles{*record_.intent};
  }
  return ReadOrEnd();
}

TaskAction TaskMachine::ReadOrEnd() {
  if (!is_swept_) {
    stage_ = Stage::kSweeping;
    return SweepFiles{record_.epoch};
  }
  if (is_finishing_) {
    stage_ = Stage::kEnded;
    return TaskEnded{};
  }
  stage_ = Stage::kReading;
  return ReadRecords{position_};
}

std::optional<int32_t> TaskMachine::Place(Hour hour, Moment now) {
  TALOSMQ_CHECK(stage_ == Stage::kReading);
  if (!opened_.has_value()) opened_ = now;
  const auto found = std::find_if(open_.rbegin(), open_.rend(),
                                  [hour](const CommittedFile& file) { return file.hour == hour; });
  if (found != open_.rend()) return found->ordinal;
  if (open_.size() == kOpenFilesMax) {
    is_full_ = true;
    return std::nullopt;
  }
  CommittedFile& file = open_.emplace_back();
  file.ordinal = ordinal_next_++;
  file.hour = hour;
  return open_.back().ordinal;
}

bool TaskMachine::Added(int32_t ordinal, Offset offset, uint64_t bytes) {
  const auto file = std::find_if(open_.begin(), open_.end(), [ordinal](const CommittedFile& f) {
    return f.ordinal == ordinal;
  });
  TALOSMQ_CHECK(file != open_.end()) << "ordinal " << ordinal;
  TALOSMQ_CHECK(offset >= position_) << offset.value() << " after " << position_.value();
  if (file->records == 0) file->first = offset;
  file->last = offset;
  file->bytes += bytes;
  ++file->records;
  position_ = offset + 1;
  is_full_ = is_full_ || file->bytes >= roll_.bytes || file->records >= roll_.records;
  return is_full_;
}

void TaskMachine::Skip(Offset next) {
  TALOSMQ_CHECK(stage_ == Stage::kReading);
  TALOSMQ_CHECK(next >= position_) << next.value() << " after " << position_.value();
  skipped_ += next - position_;
  position_ = next;
}

TaskAction TaskMachine::OnRead(Offset position, Moment now) {
  TALOSMQ_CHECK(stage_ == Stage::kReading);
  position_ = std::max(position_, position);
  if (has_progress() && !opened_.has_value()) opened_ = now;
  return is_finishing_ || IsRollDue(now) ? Commit() : ReadOrEnd();
}

std::optional<TaskAction> TaskMachine::OnTime(Moment now) {
  if (stage_ != Stage::kReading || !IsRollDue(now)) return std::nullopt;
  return Commit();
}

bool TaskMachine::IsRollDue(Moment now) const {
  if (is_full_) return true;
  if (!opened_.has_value()) return false;
  return now.monotonic - opened_->monotonic >= roll_.age ||
         StartOfHour(now.wall) > StartOfHour(opened_->wall);
}

absl::Duration TaskMachine::TimeToNext(Moment now) const {
  if (!opened_.has_value()) return kTimeCheckMax;
  const absl::Duration to_age = opened_->monotonic + roll_.age - now.monotonic;
  const absl::Duration to_hour = StartOfHour(now.wall) + absl::Hours(1) - now.wall;
  return std::clamp(std::min(to_age, to_hour), absl::ZeroDuration(), kTimeCheckMax);
}

std::optional<TaskAction> TaskMachine::FinishSoon() {
  is_finishing_ = true;
  if (stage_ != Stage::kReading) return std::nullopt;
  return Commit();
}

TaskAction TaskMachine::Commit() {
  if (!has_progress()) return ReadOrEnd();
  if (open_.empty()) return SaveDone();
  stage_ = Stage::kSealing;
  return SealFiles{open_};
}

TaskAction TaskMachine::SaveDone() {
  record_.next_offset = position_;
  record_.offsets_skipped += std::exchange(skipped_, 0);
  record_.intent.reset();
  stage_ = Stage::kSavingDone;
  return SaveRecord{record_};
}

TaskAction TaskMachine::OnDone() {
  switch (stage_) {
    case Stage::kSweeping:
      is_swept_ = true;
      return ReadOrEnd();
    case Stage::kSealing:
      record_.intent = Intent{.epoch = record_.epoch, .next_offset = position_, .files = open_};
      // With the intent that passes them: it is what the next epoch goes by.
      record_.offsets_skipped += std::exchange(skipped_, 0);
      stage_ = Stage::kSavingIntent;
      return SaveRecord{record_};
    case Stage::kSavingIntent:
      stage_ = Stage::kPublishing;
      return PublishFiles{*record_.intent};
    case Stage::kPublishing:
      position_ = record_.intent->next_offset;
      for (const CommittedFile& file : record_.intent->files) {
        record_.files_published += 1;
        record_.records_published += file.records;
        record_.bytes_published += static_cast<int64_t>(file.bytes);
      }
      return SaveDone();
    case Stage::kSavingDone:
      open_.clear();
      opened_.reset();
      is_full_ = false;
      return ReadOrEnd();
    case Stage::kReading:
    case Stage::kEnded:
      break;
  }
  TALOSMQ_CHECK(false) << "nothing was under way";
  return TaskEnded{};
}

}  // namespace talosmq::sink
