#include "model/log_model.h"

#include "base/text.h"

namespace talosmq::storage {
namespace {

absl::Status Wrong(const std::string& what, int64_t expected, int64_t found) {
  return absl::InternalError(base::StrCat(what, ": expected ", expected, ", found ", found));
}

}  // namespace

absl::Status LogModel::Appended(Offset base, const std::vector<Record>& records) {
  if (base != end()) return Wrong("base offset", end().value(), base.value());
  records_.insert(records_.end(), records.begin(), records.end());
  return absl::OkStatus();
}

absl::Status LogModel::Durable(Offset end_offset) {
  if (end_offset < durable_end_) {
    return Wrong("durable end went back", durable_end_.value(), end_offset.value());
  }
  if (end_offset > end()) return Wrong("durable end", end().value(), end_offset.value());
  durable_end_ = end_offset;
  return absl::OkStatus();
}

absl::Status LogModel::Recovered(Offset start, Offset end_offset) {
  if (start < start_ || start > start_max_) return Wrong("start", start_.value(), start.value());
  start_ = start;
  if (end_offset < durable_end_) {
    return Wrong("recovered below what was durable", durable_end_.value(), end_offset.value());
  }
  if (end_offset > end()) {
    return Wrong("recovered above what was appended", end().value(), end_offset.value());
  }
  records_.resize(static_cast<size_t>(end_offset.value()));
  durable_end_ = end_offset;
  return absl::OkStatus();
}

absl::Status LogModel::CheckRead(Offset begin,
                                 const std::vector<support::ReadRecord>& records) const {
  for (size_t i = 0; i < records.size(); ++i) {
    const Offset offset = begin + static_cast<int64_t>(i);
    if (records[i].offset != offset) {
      return Wrong("offset", offset.value(), records[i].offset.value());
    }
    if (offset >= durable_end_) return Wrong("read", durable_end_.value(), offset.value());
    const std::string& expected = records_[static_cast<size_t>(offset.value())].value;
    if (records[i].value != expected) {
      return absl::InternalError(base::StrCat("offset ", offset.value(), ": expected ",
                                              base::Printable(expected, 40), ", found ",
                                              base::Printable(records[i].value, 40)));
    }
  }
  return absl::OkStatus();
}

Offset LogModel::FindOffset(int64_t time_ms) const {
  for (int64_t i = start_.value(); i < durable_end_.value(); ++i) {
    if (records_[static_cast<size_t>(i)].timestamp_ms >= time_ms) return Offset(i);
  }
  return durable_end_;
}

}  // namespace talosmq::storage
