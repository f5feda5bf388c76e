#pragma once

#include "base/bytes.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::support {

/// What a power cut takes. Thread-compatible.
class PowerCut {
 public:
  /// Nothing that was not synced survives.
  static PowerCut DropUnsynced() { return PowerCut(std::nullopt); }
  /// Of unsynced writes any may survive, whole or torn after any byte; of unsynced changes of a
  /// directory any prefix. The same seed takes the same from the same disk.
  static PowerCut Random(uint64_t seed) { return PowerCut(seed); }
  /// The same on a file system that does not order bytes before sizes: a file may have grown
  /// without its bytes, and then holds zeros or what its blocks held for another one (R05).
  static PowerCut RandomWithStaleBlocks(uint64_t seed) {
    PowerCut cut(seed);
    cut.leaves_stale_blocks_ = true;
    return cut;
  }

  /// A number in [0, end], chosen by the seed; 0 without one.
  uint64_t Choose(uint64_t end);
  bool leaves_stale_blocks() const { return leaves_stale_blocks_; }

 private:
  explicit PowerCut(std::optional<uint64_t> seed) : state_(seed) {}
  std::optional<uint64_t> state_;
  bool leaves_stale_blocks_ = false;
};

/// What blocks that belong to no file any more still hold on the platter, the newest kBytesMax of
/// it. Thread-compatible.
class FreedBlocks {
 public:
  static constexpr uint64_t kBlockBytes = 512;  ///< The smallest that a disk writes.

  /// A file lost its bytes from `position` on. The rest of a block that it keeps is no one else's.
  void Add(uint64_t position, std::string bytes);
  /// What stands in [begin, end) of a file that took new blocks for it: those of one earlier file,
  /// from the same position or from another one, or zeros.
  std::string Recycle(PowerCut& cut, uint64_t begin, uint64_t end) const;

 private:
  static constexpr size_t kBytesMax = size_t{1} << 20;

  struct Piece {
    uint64_t position = 0;  ///< In the file that it was of; a multiple of kBlockBytes.
    std::string bytes;
  };
  std::deque<Piece> pieces_;  ///< None is empty.
  size_t bytes_ = 0;
};

/// Content of a file: what everybody reads, and what the platter holds.
/// Thread-compatible. Shared by the directory entries and open files that refer to it; its blocks
/// are free when the last of them goes.
class DiskFile {
 public:
  /// `freed` outlives it.
  explicit DiskFile(FreedBlocks& freed) : freed_(freed) {}
  ~DiskFile() { freed_.Add(0, std::move(durable_)); }
  DiskFile(const DiskFile&) = delete;
  DiskFile& operator=(const DiskFile&) = delete;

  const std::string& content() const { return content_; }

  void Write(uint64_t position, std::string_view bytes);
  void Resize(uint64_t size);
  /// What the drive does to blocks of the file behind everybody's back: durable, and read by all.
  /// Bytes beyond the end are nobody's.
  void Overwrite(uint64_t position, std::string_view bytes);
  void Sync();
  /// What a failed sync leaves behind on Linux: the pages count as clean, so that a later sync
  /// does not write them either, though everybody still reads them (loss class R01).
  void FailSync() { pending_.clear(); }
  void CutPower(PowerCut& cut);

 private:
  struct Change {
    uint64_t position = 0;             ///< Of the bytes; the new size for a resize.
    std::optional<std::string> bytes;  ///< Nothing: a resize.
  };
  static void Apply(const Change& change, size_t bytes_max, std::string& content);
  void Make(Change change);
  /// The first `bytes_max` bytes of the change reach the platter.
  void Store(const Change& change, size_t bytes_max);

  FreedBlocks& freed_;
  std::string content_;
  std::string durable_;
  std::vector<Change> pending_;  ///< Since the last sync, in order.
};

struct DiskNode;

/// Entries of a directory, as everybody sees them and as the platter holds them.
/// Thread-compatible.
class DiskDirectory {
 public:
  using Entries = std::map<std::string, std::shared_ptr<DiskNode>, std::less<>>;
  /// Names that change together; a null node takes the name away.
  using Change = std::vector<std::pair<std::string, std::shared_ptr<DiskNode>>>;

  const Entries& entries() const { return entries_; }

  void Make(Change change);
  /// The half of a rename into another directory that happens here. A journalling file system
  /// commits both halves together, so unless this directory is synced the old name survives.
  void MoveAway(std::string name);
  void Sync();
  /// For this directory and everything below it.
  void CutPower(PowerCut& cut);

 private:
  static void Apply(const Change& change, Entries& entries);

  struct Pending {
    Change change;
    bool may_survive = true;  ///< A power cut before the next sync.
  };

  Entries entries_;
  Entries durable_;
  std::vector<Pending> pending_;  ///< Since the last sync, in order.
};

/// Exactly one of the two is there.
struct DiskNode {
  std::unique_ptr<DiskFile> file;
  std::unique_ptr<DiskDirectory> directory;

  /// With everything below it.
  void Sync();
  void FailSync();

  static std::shared_ptr<DiskNode> NewFile(FreedBlocks& freed);
  static std::shared_ptr<DiskNode> NewDirectory();
};

}  // namespace talosmq::support
