// Any bytes as the journal's identity; and as the files of a journal, whose groups they describe,
// so that the search gets behind every checksum. What is selected from them is read only where it
// is, oldest first, each offset within its file.

#include "base/bytes.h"
#include "base/check.h"
#include "storage/journal_format.h"
#include "storage/journal_reader.h"
#include "support/memory_file_system.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace talosmq::storage {
namespace {

constexpr JournalIdentity kIdentity{};
constexpr std::array<const char*, 3> kFiles = {"journal/00000000000000000001.journal",
                                               "journal/00000000000000000002.journal", "journal/x"};

void CheckIdentity(base::ByteSpan bytes) {
  const auto identity = DecodeJournalIdentity(bytes);
  if (!identity.ok()) return;
  TALOSMQ_CHECK(EncodeJournalIdentity(*identity) == base::AsText(bytes));
}

/// Takes numbers from the bytes, zeros behind their end.
class Numbers {
 public:
  explicit Numbers(base::ByteSpan bytes) : bytes_(bytes) {}
  bool is_empty() const { return bytes_.empty(); }
  uint8_t Next() {
    if (bytes_.empty()) return 0;
    const auto number = std::to_integer<uint8_t>(bytes_.front());
    bytes_ = bytes_.subspan(1);
    return number;
  }

 private:
  base::ByteSpan bytes_;
};

/// One group as it stands in a file, damaged as the numbers say.
std::string Group(Numbers& numbers) {
  JournalGroup group;
  group.sequence = numbers.Next() + uint64_t{1};
  group.before = numbers.Next();
  group.oldest = numbers.Next();
  const int sections = numbers.Next() % 3;
  for (int i = 0; i < sections; ++i) {
    JournalSection section;
    section.log = {.topic_id = TopicId(), .partition = PartitionId(i)};
    section.first_offset = Offset(numbers.Next());
    section.end_offset = Offset(numbers.Next());
    section.bytes = numbers.Next();
    if (numbers.Next() % 2 == 1) {
      section.epochs = {{.epoch = LeaderEpoch(1), .start_offset = section.first_offset}};
    }
    group.sections.push_back(section);
  }
  const auto padded = [](std::string bytes) {
    bytes.resize((bytes.size() + kJournalBlockBytes - 1) / kJournalBlockBytes * kJournalBlockBytes);
    return bytes;
  };
  std::string head = EncodeJournalGroup(kIdentity, group, 0);
  head.resize(head.size() + group.batch_bytes());
  std::string content = padded(head);
  content += padded(EncodeJournalGroup(kIdentity, group, content.size()));
  if (const uint8_t at = numbers.Next(); at > 0) content[at] = static_cast<char>(content[at] ^ 1);
  content.resize(content.size() - std::min<size_t>(numbers.Next() * 16, content.size()));
  return content;
}

void CheckFiles(const std::array<std::string, kFiles.size()>& contents) {
  support::MemoryFileSystem files;
  TALOSMQ_CHECK(files.MakeDirectories("journal").ok());
  for (size_t i = 0; i < kFiles.size(); ++i) {
    TALOSMQ_CHECK(io::WriteFileAtomically(files, kFiles[i], base::AsBytes(contents[i])).ok());
  }
  const auto scan = ScanJournal(files, "journal", kIdentity);
  if (!scan.ok()) return;
  TALOSMQ_CHECK(scan->paths.size() == 2);
  for (const JournalMark& recorded : {JournalMark(), JournalMark{.newest = 3, .oldest = 2}}) {
    const auto live = SelectLive(files, *scan, recorded);
    TALOSMQ_CHECK(live.ok()) << live.status();
    for (const FoundSection& found : live->sections) {
      TALOSMQ_CHECK(found.position + found.section.bytes <= contents[found.file].size());
      const auto file = files.Open(scan->paths[found.file], io::OpenMode::kRead);
      TALOSMQ_CHECK(ReadSection(**file, found).ok());
    }
  }
}

}  // namespace
}  // namespace talosmq::storage

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  talosmq::storage::CheckIdentity(bytes);
  const std::string text(talosmq::base::AsText(bytes));
  talosmq::storage::CheckFiles({text, "", text});
  std::array<std::string, talosmq::storage::kFiles.size()> contents;
  for (talosmq::storage::Numbers numbers(bytes); !numbers.is_empty();) {
    contents[numbers.Next() % contents.size()] += talosmq::storage::Group(numbers);
  }
  talosmq::storage::CheckFiles(contents);
  return 0;
}
