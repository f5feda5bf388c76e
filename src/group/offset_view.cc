#include "group/offset_view.h"

#include "base/bytes.h"
#include "base/status.h"
#include "base/text.h"

#include <array>
#include <string_view>

namespace talosmq::group {
namespace {

constexpr size_t kPageEntries = 1000;
constexpr char kPointVersion = 1;
constexpr size_t kPointBytes = 1 + sizeof(int64_t) + sizeof(int32_t);

std::string EncodePoint(const ViewPoint& point) {
  std::array<std::byte, kPointBytes> bytes{};
  bytes[0] = static_cast<std::byte>(kPointVersion);
  base::StoreBigEndian(&bytes[1], point.next.value());
  base::StoreBigEndian(&bytes[1 + sizeof(int64_t)], point.epoch.value());
  return std::string(base::AsText(bytes));
}

absl::StatusOr<ViewPoint> DecodePoint(const std::string& key, std::string_view value) {
  if (value.size() != kPointBytes || value[0] != kPointVersion) {
    return MakeError(
        Reason::kCorruptData,
        base::StrCat("view ", key, ": expected ", kPointBytes, " bytes of version ",
                     static_cast<int>(kPointVersion), ", found ", base::Printable(value, 32)));
  }
  const base::ByteSpan bytes = base::AsBytes(value);
  return ViewPoint{.next = Offset(base::LoadBigEndian<int64_t>(&bytes[1])),
                   .epoch = LeaderEpoch(base::LoadBigEndian<int32_t>(&bytes[1 + sizeof(int64_t)]))};
}

}  // namespace

OffsetView::OffsetView(kv::Store& store, const TopicPartition& log)
    : store_(store),
      point_key_(base::StrCat("point/", log.ToString())),
      prefix_(base::StrCat("records/", log.ToString(), "/")) {}

absl::StatusOr<std::optional<LoadedView>> OffsetView::Load() {
  TALOSMQ_ASSIGN_OR_RETURN(const auto value, store_.Get(point_key_));
  trouble_ = absl::OkStatus();
  if (!value) return std::nullopt;
  LoadedView view;
  TALOSMQ_ASSIGN_OR_RETURN(view.point, DecodePoint(point_key_, *value));
  std::string from;
  while (true) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto page, store_.Scan(prefix_, from, kPageEntries));
    for (const kv::Entry& entry : page) {
      const std::string_view key = std::string_view(entry.key).substr(prefix_.size());
      TALOSMQ_ASSIGN_OR_RETURN(Change change, Decode(key, entry.value));
      view.changes.push_back(std::move(change));
    }
    if (page.size() < kPageEntries) return view;
    from = page.back().key + '\0';
  }
}

absl::Status OffsetView::Apply(std::vector<EncodedChange> changes, const ViewPoint& point) {
  TALOSMQ_RETURN_IF_ERROR(trouble_);
  kv::WriteBatch batch;
  for (EncodedChange& change : changes) {
    std::string key = prefix_ + change.key;
    if (change.value) {
      batch.Put(std::move(key), *std::move(change.value));
    } else {
      batch.Delete(std::move(key));
    }
  }
  batch.Put(point_key_, EncodePoint(point));
  trouble_ = store_.Write(batch, kv::Durability::kUnsynced);
  return trouble_;
}

absl::Status OffsetView::Drop() {
  trouble_ = Empty();
  return trouble_;
}

absl::Status OffsetView::Empty() {
  kv::WriteBatch first;
  first.Delete(point_key_);
  TALOSMQ_RETURN_IF_ERROR(store_.Write(first, kv::Durability::kUnsynced));
  while (true) {
    TALOSMQ_ASSIGN_OR_RETURN(const auto page, store_.Scan(prefix_, {}, kPageEntries));
    if (page.empty()) return absl::OkStatus();
    kv::WriteBatch batch;
    for (const kv::Entry& entry : page) batch.Delete(entry.key);
    TALOSMQ_RETURN_IF_ERROR(store_.Write(batch, kv::Durability::kUnsynced));
  }
}

}  // namespace talosmq::group
