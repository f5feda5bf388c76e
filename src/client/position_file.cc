#include "client/position_file.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include <cstdint>
#include <vector>

namespace talosmq::client {
namespace {

constexpr std::string_view kFirstLine = "talosmq-positions 1";
constexpr std::string_view kFirstWord = "talosmq-positions ";
constexpr std::string_view kTopicWord = "topic ";
/// 10,000 partitions of at most 26 bytes, and the rest.
constexpr uint64_t kFileBytesMax = uint64_t{1} << 20;
constexpr size_t kShownMax = 60;

std::string SumLine(std::string_view text) {
  return absl::StrFormat("crc32c %08x\n", base::Crc32c(base::AsBytes(text)));
}

absl::Status Corrupt(std::string_view expected, std::string_view found) {
  return MakeError(Reason::kCorruptData, base::StrCat("expected ", expected, ", found '",
                                                      base::Printable(found, kShownMax), "'"));
}

/// The next line, without its end; what is left stays in `text`.
std::string_view TakeLine(std::string_view& text) {
  const size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return line;
}

absl::Status TakePosition(std::string_view line, KeptPositions& positions) {
  const size_t space = line.find(' ');
  int32_t partition = -1;
  int64_t offset = -1;
  const bool is_pair = space != std::string_view::npos &&
                       absl::SimpleAtoi(base::ToAbsl(line.substr(0, space)), &partition) &&
                       absl::SimpleAtoi(base::ToAbsl(line.substr(space + 1)), &offset);
  const bool is_next =
      positions.offsets.empty() || PartitionId(partition) > positions.offsets.rbegin()->first;
  if (!is_pair || partition < 0 || offset < 0 || !is_next) {
    return Corrupt("a partition, higher than the one before, and its offset", line);
  }
  positions.offsets[PartitionId(partition)] = Offset(offset);
  return absl::OkStatus();
}

}  // namespace

std::string WritePositions(const KeptPositions& positions) {
  std::string text = base::StrCat(kFirstLine, "\n", kTopicWord, positions.topic.ToString(), "\n");
  for (const auto& [partition, offset] : positions.offsets) {
    text += base::StrCat(partition.value(), " ", offset.value(), "\n");
  }
  return text + SumLine(text);
}

absl::StatusOr<KeptPositions> ParsePositions(std::string_view text) {
  if (text.starts_with(kFirstWord) && !text.starts_with(base::StrCat(kFirstLine, "\n"))) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("expected '", kFirstLine, "', found '",
                                  base::Printable(TakeLine(text), kShownMax), "'"));
  }
  const size_t sum_size = SumLine("").size();
  if (text.size() < sum_size) return Corrupt("a checksum at the end", text);
  std::string_view rest = text.substr(0, text.size() - sum_size);
  const std::string_view sum = text.substr(rest.size());
  if (sum != SumLine(rest)) return Corrupt(SumLine(rest).substr(0, sum_size - 1), sum);
  if (const std::string_view line = TakeLine(rest); line != kFirstLine) {
    return Corrupt(kFirstLine, line);
  }
  const std::string_view topic_line = TakeLine(rest);
  const std::optional<TopicId> topic = topic_line.starts_with(kTopicWord)
                                           ? TopicId::Parse(topic_line.substr(kTopicWord.size()))
                                           : std::nullopt;
  if (!topic) return Corrupt("'topic ' and a topic id", topic_line);
  KeptPositions positions{.topic = *topic, .offsets = {}};
  while (!rest.empty()) TALOSMQ_RETURN_IF_ERROR(TakePosition(TakeLine(rest), positions));
  return positions;
}

absl::StatusOr<std::optional<KeptPositions>> LoadPositions(io::FileSystem& file_system,
                                                           const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(path));
  if (!exists) return std::optional<KeptPositions>();
  TALOSMQ_ASSIGN_OR_RETURN(const std::string text, io::ReadFile(file_system, path, kFileBytesMax));
  absl::StatusOr<KeptPositions> positions = ParsePositions(text);
  if (!positions.ok()) return base::Annotate(positions.status(), "positions file " + path);
  return std::optional<KeptPositions>(*std::move(positions));
}

absl::Status SavePositions(io::FileSystem& file_system, const std::string& path,
                           const KeptPositions& positions) {
  return io::WriteFileAtomically(file_system, path, base::AsBytes(WritePositions(positions)));
}

}  // namespace talosmq::client
