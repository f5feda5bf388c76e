#include "record/record_parser.h"

#include "base/bytes.h"
#include "base/varint.h"

#include "gtest/gtest.h"
#include "unit/record/raw_batch.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::record {
namespace {

using base::ByteSpan;

/// What a record says, for comparison.
struct Said {
  int64_t timestamp_delta = 0;
  int32_t offset_delta = 0;
  std::optional<std::string> key = std::nullopt;
  std::optional<std::string> value = std::nullopt;
  int32_t headers_count = 0;
  size_t bytes = 0;  ///< Of the whole record.

  bool operator==(const Said&) const = default;
};

/// Takes a length and so many bytes; -1, where allowed, is nothing. False when broken.
bool TakeField(ByteSpan& bytes, int32_t length_min, std::optional<std::string>& field) {
  const auto length = base::TakeVarint32(bytes);
  if (!length || *length < length_min || *length > static_cast<int64_t>(bytes.size())) return false;
  field = std::nullopt;
  if (*length < 0) return true;
  field = std::string(base::AsText(bytes.first(static_cast<size_t>(*length))));
  bytes = bytes.subspan(static_cast<size_t>(*length));
  return true;
}

/// The grammar once more, as plainly as it can be said.
std::optional<Said> SayPlainly(ByteSpan bytes) {
  const size_t bytes_before = bytes.size();
  const auto length = base::TakeVarint32(bytes);
  if (!length || *length < 1 || *length > static_cast<int64_t>(bytes.size())) return std::nullopt;
  ByteSpan body = bytes.first(static_cast<size_t>(*length)).subspan(1);
  Said said{.bytes = bytes_before - bytes.size() + static_cast<size_t>(*length)};
  const auto timestamp_delta = base::TakeVarint64(body);
  if (!timestamp_delta) return std::nullopt;
  const auto offset_delta = base::TakeVarint32(body);
  if (!offset_delta) return std::nullopt;
  if (!TakeField(body, -1, said.key) || !TakeField(body, -1, said.value)) return std::nullopt;
  const auto headers_count = base::TakeVarint32(body);
  if (!headers_count || *headers_count < 0) return std::nullopt;
  for (int32_t i = 0; i < *headers_count; ++i) {
    std::optional<std::string> ignored;
    if (!TakeField(body, 0, ignored) || !TakeField(body, -1, ignored)) return std::nullopt;
  }
  if (!body.empty()) return std::nullopt;
  said.timestamp_delta = *timestamp_delta;
  said.offset_delta = *offset_delta;
  said.headers_count = *headers_count;
  return said;
}

std::optional<std::string> Field(const std::byte* data, int32_t bytes) {
  if (bytes < 0) return std::nullopt;
  return std::string(base::AsText({data, static_cast<size_t>(bytes)}));
}

std::optional<Said> SayByParser(ByteSpan bytes) {
  RecordParser parser;
  ParsedRecord record;
  const std::byte* const after = parser.Parse(bytes.data(), bytes.data() + bytes.size(), record);
  EXPECT_EQ(after == nullptr, !parser.fault().empty());
  if (after == nullptr) return std::nullopt;
  EXPECT_EQ(record.end, after);
  return Said{.timestamp_delta = record.timestamp_delta,
              .offset_delta = record.offset_delta,
              .key = Field(record.key, record.key_bytes),
              .value = Field(record.value, record.value_bytes),
              .headers_count = record.headers_count,
              .bytes = static_cast<size_t>(after - bytes.data())};
}

/// Records of every shape that takes its own way through the parser.
std::vector<std::string> SoundRecords() {
  return {
      RawRecord().Encode(),
      RawRecord{.value = Varint(-1)}.Encode(),
      RawRecord{.key = Varint(3) + "key", .value = Varint(12) + "twelve bytes"}.Encode(),
      RawRecord{.timestamp_delta = Varint(-70),
                .offset_delta = Varint(100),
                .key = Varint(0),
                .value = Varint(100) + std::string(100, 'v')}
          .Encode(),
      RawRecord{.timestamp_delta = Varint(10'000),
                .offset_delta = Varint(10'000),
                .value = Varint(40) + std::string(40, 'v')}
          .Encode(),
      RawRecord{.timestamp_delta = Varint(int64_t{1} << 40),
                .offset_delta = Varint(int64_t{1} << 28),
                .value = Varint(40) + std::string(40, 'v')}
          .Encode(),
      RawRecord{.value = Varint(20) + std::string(20, 'v'),
                .headers = Varint(2) + Varint(1) + "h" + Varint(-1) + Varint(0) + Varint(1) + "x"}
          .Encode(),
  };
}

TEST(RecordParserTest, SoundRecordsAreParsedAloneAndBeforeOthers) {
  for (const std::string& record : SoundRecords()) {
    for (const std::string& tail : {std::string(), std::string(1, '\0'), std::string(64, 'z')}) {
      const std::string bytes = record + tail;
      const auto said = SayByParser(base::AsBytes(bytes));
      ASSERT_TRUE(said.has_value());
      EXPECT_EQ(said->bytes, record.size());
      EXPECT_EQ(said, SayPlainly(base::AsBytes(bytes)));
    }
  }
}

TEST(RecordParserTest, EveryChangedByteIsTakenAsThePlainGrammarTakesIt) {
  for (const std::string& record : SoundRecords()) {
    for (const std::string& tail : {std::string(), std::string(64, '\0')}) {
      for (size_t position = 0; position < record.size(); ++position) {
        std::string bytes = record + tail;
        for (int value = 0; value < 256; ++value) {
          bytes[position] = static_cast<char>(value);
          ASSERT_EQ(SayByParser(base::AsBytes(bytes)), SayPlainly(base::AsBytes(bytes)))
              << "byte " << position << " is " << value;
        }
      }
    }
  }
}

TEST(RecordParserTest, EveryCutIsBroken) {
  for (const std::string& record : SoundRecords()) {
    for (size_t size = 0; size < record.size(); ++size) {
      const std::string cut = record.substr(0, size);
      EXPECT_FALSE(SayByParser(base::AsBytes(cut)).has_value()) << size;
    }
  }
}

}  // namespace
}  // namespace talosmq::record
