#include "sink/task_record.h"

#include "base/bytes.h"
#include "base/check.h"
#include "base/status.h"
#include "base/text.h"

#include <array>
#include <cstddef>
#include <limits>
#include <utility>

namespace talosmq::sink {
namespace {

constexpr uint8_t kVersion = 2;
constexpr uint8_t kVersionMin = 1;
constexpr int32_t kNoHour = std::numeric_limits<int32_t>::min();

/// Appends big-endian numbers and length-prefixed text.
class Encoder {
 public:
  template <typename T>
  void Number(T value) {
    std::array<std::byte, sizeof(T)> bytes;
    base::StoreBigEndian(bytes.data(), value);
    out_.append(base::AsText(bytes));
  }
  void Text(std::string_view text) {
    TALOSMQ_CHECK(text.size() <= std::numeric_limits<uint16_t>::max());
    Number(static_cast<uint16_t>(text.size()));
    out_.append(text);
  }
  void Id(const TopicId& id) { out_.append(id.bytes()); }
  std::string Finish() { return std::move(out_); }

 private:
  std::string out_;
};

/// Takes them off again. After the first thing that is not there everything reads as zero and
/// is_sound() is false.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Number() {
    const std::string_view bytes = Take(sizeof(T));
    return is_sound_ ? base::LoadBigEndian<T>(base::AsBytes(bytes).data()) : T{};
  }
  std::string Text() { return std::string(Take(Number<uint16_t>())); }
  TopicId Id() { return TopicId::FromBytes(Take(TopicId().bytes().size())).value_or(TopicId()); }
  void Require(bool condition) { is_sound_ = is_sound_ && condition; }
  bool is_sound() const { return is_sound_; }
  bool is_at_end() const { return rest_.empty(); }

 private:
  std::string_view Take(size_t size) {
    is_sound_ = is_sound_ && size <= rest_.size();
    if (!is_sound_) return {};
    const std::string_view taken = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return taken;
  }

  std::string_view rest_;
  bool is_sound_ = true;
};

absl::Status CheckVersion(std::string_view what, uint8_t version) {
  if (version >= kVersionMin && version <= kVersion) return absl::OkStatus();
  return MakeError(Reason::kUnsupportedVersion,
                   base::StrCat("stored ", what, ": expected version ", int{kVersionMin}, " to ",
                                int{kVersion}, ", found ", int{version}));
}

absl::Status CheckEnd(std::string_view what, const Decoder& decoder, size_t bytes) {
  if (decoder.is_sound() && decoder.is_at_end()) return absl::OkStatus();
  return MakeError(
      Reason::kCorruptData,
      base::StrCat("stored ", what, ": its ", bytes, " bytes ",
                   decoder.is_sound() ? "go on after its end" : "are cut off or out of range"));
}

void EncodeFile(Encoder& encoder, const CommittedFile& file) {
  encoder.Number(file.ordinal);
  encoder.Number(file.hour.value_or(kNoHour));
  encoder.Number(file.first.value());
  encoder.Number(file.last.value());
  encoder.Number(file.records);
  encoder.Number(file.bytes);
}

CommittedFile DecodeFile(Decoder& decoder) {
  CommittedFile file;
  file.ordinal = decoder.Number<int32_t>();
  const auto hour = decoder.Number<int32_t>();
  if (hour != kNoHour) file.hour = hour;
  file.first = Offset(decoder.Number<int64_t>());
  file.last = Offset(decoder.Number<int64_t>());
  file.records = decoder.Number<int64_t>();
  file.bytes = decoder.Number<uint64_t>();
  decoder.Require(file.ordinal >= 0 && file.first >= Offset(0) && file.last >= file.first);
  decoder.Require(file.records > 0 && file.records <= file.last - file.first + 1);
  return file;
}

void EncodeIntent(Encoder& encoder, const Intent& intent) {
  encoder.Number(intent.epoch);
  encoder.Number(intent.next_offset.value());
  TALOSMQ_CHECK(intent.files.size() <= kOpenFilesMax);
  encoder.Number(static_cast<uint8_t>(intent.files.size()));
  for (const CommittedFile& file : intent.files) EncodeFile(encoder, file);
}

Intent DecodeIntent(Decoder& decoder) {
  Intent intent;
  intent.epoch = decoder.Number<int64_t>();
  intent.next_offset = Offset(decoder.Number<int64_t>());
  const auto files = decoder.Number<uint8_t>();
  decoder.Require(files <= kOpenFilesMax);
  for (uint8_t i = 0; i < files && decoder.is_sound(); ++i) {
    intent.files.push_back(DecodeFile(decoder));
    decoder.Require(intent.files.back().last < intent.next_offset);
  }
  return intent;
}

}  // namespace

std::string EncodeJobRecord(const JobRecord& record) {
  Encoder encoder;
  encoder.Number(kVersion);
  encoder.Number(static_cast<uint8_t>(record.phase));
  encoder.Number(static_cast<uint8_t>(record.definition.format));
  encoder.Number(record.claim);
  encoder.Id(record.topic_id);
  encoder.Text(record.definition.name);
  encoder.Text(record.definition.topic);
  encoder.Text(record.definition.target);
  encoder.Number(record.definition.roll.bytes);
  encoder.Number(record.definition.roll.records);
  encoder.Number(absl::ToInt64Milliseconds(record.definition.roll.age));
  encoder.Number(static_cast<uint8_t>(record.definition.on_corrupt == OnCorrupt::kSkip ? 1 : 0));
  encoder.Text(record.error);
  return encoder.Finish();
}

absl::StatusOr<JobRecord> DecodeJobRecord(std::string_view bytes) {
  Decoder decoder(bytes);
  const auto version = decoder.Number<uint8_t>();
  TALOSMQ_RETURN_IF_ERROR(CheckVersion("dump job", version));
  const auto phase = decoder.Number<uint8_t>();
  const auto format = decoder.Number<uint8_t>();
  decoder.Require(phase >= static_cast<uint8_t>(JobPhase::kRunning) &&
                  phase <= static_cast<uint8_t>(JobPhase::kDeleting));
  decoder.Require(format >= static_cast<uint8_t>(FormatKind::kJson) &&
                  format <= static_cast<uint8_t>(FormatKind::kRaw));
  JobRecord record;
  record.phase = static_cast<JobPhase>(phase);
  record.definition.format = static_cast<FormatKind>(format);
  record.claim = decoder.Number<uint64_t>();
  record.topic_id = decoder.Id();
  record.definition.name = decoder.Text();
  record.definition.topic = decoder.Text();
  record.definition.target = decoder.Text();
  record.definition.roll.bytes = decoder.Number<uint64_t>();
  record.definition.roll.records = decoder.Number<int64_t>();
  record.definition.roll.age = absl::Milliseconds(decoder.Number<int64_t>());
  const uint8_t skips = version > 1 ? decoder.Number<uint8_t>() : 0;
  decoder.Require(skips <= 1);
  record.definition.on_corrupt = skips == 1 ? OnCorrupt::kSkip : OnCorrupt::kFail;
  record.error = decoder.Text();
  // Names become paths, so what no job could have been made with is not believed either.
  decoder.Require(CheckJobName(record.definition.name).ok());
  decoder.Require(CheckJobName(record.definition.topic).ok());
  decoder.Require(NormalizeTarget(record.definition.target).ok());
  TALOSMQ_RETURN_IF_ERROR(CheckEnd("dump job", decoder, bytes.size()));
  return record;
}

std::string EncodeTaskRecord(const TaskRecord& record) {
  Encoder encoder;
  encoder.Number(kVersion);
  encoder.Number(record.epoch);
  encoder.Number(record.claim);
  encoder.Id(record.topic_id);
  encoder.Number(record.next_offset.value());
  encoder.Number(record.files_published);
  encoder.Number(record.records_published);
  encoder.Number(record.bytes_published);
  encoder.Number(record.offsets_skipped);
  encoder.Number(static_cast<uint8_t>(record.intent.has_value() ? 1 : 0));
  if (record.intent.has_value()) EncodeIntent(encoder, *record.intent);
  return encoder.Finish();
}

absl::StatusOr<TaskRecord> DecodeTaskRecord(std::string_view bytes) {
  Decoder decoder(bytes);
  const auto version = decoder.Number<uint8_t>();
  TALOSMQ_RETURN_IF_ERROR(CheckVersion("dump task", version));
  TaskRecord record;
  record.epoch = decoder.Number<int64_t>();
  record.claim = decoder.Number<uint64_t>();
  record.topic_id = decoder.Id();
  record.next_offset = Offset(decoder.Number<int64_t>());
  record.files_published = decoder.Number<int64_t>();
  record.records_published = decoder.Number<int64_t>();
  record.bytes_published = decoder.Number<int64_t>();
  if (version > 1) record.offsets_skipped = decoder.Number<int64_t>();
  const auto has_intent = decoder.Number<uint8_t>();
  decoder.Require(record.epoch > 0 && record.next_offset >= Offset(0) && has_intent <= 1);
  if (has_intent == 1) {
    record.intent = DecodeIntent(decoder);
    decoder.Require(record.intent->epoch <= record.epoch);
  }
  TALOSMQ_RETURN_IF_ERROR(CheckEnd("dump task", decoder, bytes.size()));
  return record;
}

}  // namespace talosmq::sink
