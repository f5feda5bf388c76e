#include "support/memory_disk.h"

#include <algorithm>

namespace talosmq::support {

uint64_t PowerCut::Choose(uint64_t end) {
  if (!state_.has_value()) return 0;
  // splitmix64: small, and the same everywhere.
  *state_ += 0x9e3779b97f4a7c15;
  uint64_t mixed = *state_;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  mixed ^= mixed >> 31;
  return end == UINT64_MAX ? mixed : mixed % (end + 1);
}

void FreedBlocks::Add(uint64_t position, std::string bytes) {
  const uint64_t kept = (kBlockBytes - position % kBlockBytes) % kBlockBytes;
  if (bytes.size() <= kept) return;
  bytes.erase(0, kept);
  bytes.resize(std::min(bytes.size(), kBytesMax));
  bytes_ += bytes.size();
  pieces_.push_back({.position = position + kept, .bytes = std::move(bytes)});
  for (; bytes_ > kBytesMax; pieces_.pop_front()) bytes_ -= pieces_.front().bytes.size();
}

std::string FreedBlocks::Recycle(PowerCut& cut, uint64_t begin, uint64_t end) const {
  std::string found(end - begin, '\0');
  const uint64_t kept = (kBlockBytes - begin % kBlockBytes) % kBlockBytes;
  const uint64_t chosen = cut.Choose(pieces_.size());
  if (chosen == pieces_.size() || found.size() <= kept) return found;
  const Piece& piece = pieces_[chosen];
  const uint64_t same_place = begin + kept - piece.position;
  const bool has_same_place =
      begin + kept >= piece.position && same_place < piece.bytes.size() && cut.Choose(1) == 1;
  const uint64_t from = has_same_place
                            ? same_place
                            : cut.Choose((piece.bytes.size() - 1) / kBlockBytes) * kBlockBytes;
  piece.bytes.copy(found.data() + kept, found.size() - kept, from);
  return found;
}

void DiskFile::Write(uint64_t position, std::string_view bytes) {
  Make({.position = position, .bytes = std::string(bytes)});
}

void DiskFile::Resize(uint64_t size) { Make({.position = size, .bytes = std::nullopt}); }

void DiskFile::Make(Change change) {
  Apply(change, SIZE_MAX, content_);
  pending_.push_back(std::move(change));
}

void DiskFile::Overwrite(uint64_t position, std::string_view bytes) {
  for (std::string* const held : {&content_, &durable_}) {
    if (position >= held->size()) continue;
    const size_t size = std::min<size_t>(bytes.size(), held->size() - position);
    held->replace(position, size, bytes.substr(0, size));
  }
}

void DiskFile::Apply(const Change& change, size_t bytes_max, std::string& content) {
  if (!change.bytes.has_value()) {
    content.resize(change.position);
    return;
  }
  const std::string_view bytes = std::string_view(*change.bytes).substr(0, bytes_max);
  if (content.size() < change.position + bytes.size()) {
    content.resize(change.position + bytes.size());
  }
  std::copy(bytes.begin(), bytes.end(),
            content.begin() + static_cast<std::ptrdiff_t>(change.position));
}

void DiskFile::Store(const Change& change, size_t bytes_max) {
  if (!change.bytes.has_value() && change.position < durable_.size()) {
    freed_.Add(change.position, durable_.substr(change.position));
  }
  Apply(change, bytes_max, durable_);
}

void DiskFile::Sync() {
  for (const Change& change : pending_) Store(change, SIZE_MAX);
  pending_.clear();
}

void DiskFile::CutPower(PowerCut& cut) {
  if (cut.leaves_stale_blocks() && content_.size() > durable_.size()) {
    const uint64_t grown = cut.Choose(content_.size() - durable_.size());
    durable_ += freed_.Recycle(cut, durable_.size(), durable_.size() + grown);
  }
  for (const Change& change : pending_) {
    const bool survives = cut.Choose(1) == 1;
    if (!survives) continue;
    const bool is_torn = cut.Choose(1) == 1;
    const size_t bytes = change.bytes.has_value() ? change.bytes->size() : 0;
    Store(change, is_torn ? cut.Choose(bytes) : bytes);
  }
  pending_.clear();
  content_ = durable_;
}

void DiskDirectory::Make(Change change) {
  Apply(change, entries_);
  pending_.push_back({.change = std::move(change), .may_survive = true});
}

void DiskDirectory::MoveAway(std::string name) {
  Make({{std::move(name), nullptr}});
  pending_.back().may_survive = false;
}

void DiskDirectory::Apply(const Change& change, Entries& entries) {
  for (const auto& [name, node] : change) {
    if (node == nullptr) {
      entries.erase(name);
    } else {
      entries[name] = node;
    }
  }
}

void DiskDirectory::Sync() {
  for (const Pending& pending : pending_) Apply(pending.change, durable_);
  pending_.clear();
}

void DiskDirectory::CutPower(PowerCut& cut) {
  // A journalling file system commits changes of a directory in their order.
  const uint64_t kept = cut.Choose(pending_.size());
  for (size_t i = 0; i < kept && pending_[i].may_survive; ++i) {
    Apply(pending_[i].change, durable_);
  }
  pending_.clear();
  entries_ = durable_;
  for (const auto& [name, node] : entries_) {
    if (node->file != nullptr) node->file->CutPower(cut);
    if (node->directory != nullptr) node->directory->CutPower(cut);
  }
}

void DiskNode::Sync() {
  if (file != nullptr) return file->Sync();
  for (const auto& [name, node] : directory->entries()) node->Sync();
  directory->Sync();
}

void DiskNode::FailSync() {
  if (file != nullptr) return file->FailSync();
  for (const auto& [name, node] : directory->entries()) node->FailSync();
}

std::shared_ptr<DiskNode> DiskNode::NewFile(FreedBlocks& freed) {
  auto node = std::make_shared<DiskNode>();
  node->file = std::make_unique<DiskFile>(freed);
  return node;
}

std::shared_ptr<DiskNode> DiskNode::NewDirectory() {
  auto node = std::make_shared<DiskNode>();
  node->directory = std::make_unique<DiskDirectory>();
  return node;
}

}  // namespace talosmq::support
