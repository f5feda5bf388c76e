#include "replication/partition_leader.h"

#include "base/check.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <algorithm>
#include <utility>

namespace talosmq::replication {

LeaderOutput PartitionLeader::Recovered(const std::set<BrokerId>& in_sync, Offset durable_end) {
  TALOSMQ_CHECK(!is_leading_) << "recovered under epoch " << epoch_.value();
  LeaderOutput output;
  const bool is_sole_member = in_sync.size() == 1 && in_sync.contains(self_);
  if (!is_sole_member || durable_end <= high_watermark_) return output;
  high_watermark_ = durable_end;
  output.high_watermark = high_watermark_;
  return output;
}

LeaderOutput PartitionLeader::Begin(const LeaderTerm& term) {
  TALOSMQ_CHECK(term.epoch > epoch_) << "epoch=" << term.epoch.value() << " was " << epoch_.value();
  TALOSMQ_CHECK(term.in_sync.contains(self_)) << "a leader is in sync with itself";
  TALOSMQ_CHECK(term.durable_end <= term.log_end)
      << "durable=" << term.durable_end.value() << " end=" << term.log_end.value();
  LeaderOutput ended;
  if (is_leading_) {
    ended = End(MakeError(Reason::kNotLeader,
                          base::StrCat("leader epoch ", epoch_.value(), " ended, epoch ",
                                       term.epoch.value(), " has begun")));
  }
  is_leading_ = true;
  epoch_ = term.epoch;
  in_sync_ = term.in_sync;
  durable_ends_ = {{self_, term.durable_end}};
  log_end_ = term.log_end;
  LeaderOutput output = Advance();
  output.released = std::move(ended.released);
  return output;
}

LeaderOutput PartitionLeader::End(const absl::Status& reason) {
  TALOSMQ_CHECK(!reason.ok()) << "a term ends for a reason";
  is_leading_ = false;
  LeaderOutput output;
  wait_leader_.ReleaseAll(reason, output.released);
  wait_in_sync_.ReleaseAll(reason, output.released);
  return output;
}

void PartitionLeader::AppendedTo(Offset log_end) {
  TALOSMQ_CHECK(is_leading_) << "an append without leadership";
  TALOSMQ_CHECK(log_end >= log_end_) << "end=" << log_end.value() << " was " << log_end_.value();
  log_end_ = log_end;
}

LeaderOutput PartitionLeader::LocalDurable(Offset end) {
  TALOSMQ_CHECK(is_leading_) << "a durable end without leadership";
  TALOSMQ_CHECK(end <= log_end_) << "durable=" << end.value() << " end=" << log_end_.value();
  Offset& known = durable_ends_.at(self_);
  TALOSMQ_CHECK(end >= known) << "durable=" << end.value() << " was " << known.value();
  known = end;
  return Advance();
}

LeaderOutput PartitionLeader::FollowerDurable(BrokerId follower, LeaderEpoch epoch, Offset end) {
  TALOSMQ_CHECK(follower != self_) << "broker " << self_.value() << " does not follow itself";
  // A late word of another epoch may speak of records that this term has replaced; one beyond the
  // leader's own log cannot be of this history.
  if (!is_leading_ || epoch != epoch_ || end > log_end_) return {};
  Offset& known = durable_ends_.try_emplace(follower, end).first->second;
  known = std::max(known, end);
  return Advance();
}

LeaderOutput PartitionLeader::SetInSync(std::set<BrokerId> in_sync) {
  TALOSMQ_CHECK(is_leading_) << "an in-sync set without leadership";
  TALOSMQ_CHECK(in_sync.contains(self_)) << "a leader is in sync with itself";
  in_sync_ = std::move(in_sync);
  return Advance();
}

LeaderOutput PartitionLeader::Park(AckTag tag, Offset end, AckScope scope) {
  TALOSMQ_CHECK(is_leading_) << "an acknowledgement without leadership";
  TALOSMQ_CHECK(end <= log_end_) << "end=" << end.value() << " log end=" << log_end_.value();
  LeaderOutput output;
  switch (scope) {
    case AckScope::kLeader:
      wait_leader_.Park(end, tag);
      wait_leader_.ReleaseUpTo(local_durable_end(), output.released);
      break;
    case AckScope::kInSync:
      wait_in_sync_.Park(end, tag);
      wait_in_sync_.ReleaseUpTo(high_watermark_, output.released);
      break;
  }
  return output;
}

std::optional<Offset> PartitionLeader::CommittedEnd() const {
  Offset committed = local_durable_end();
  for (const BrokerId member : in_sync_) {
    const auto known = durable_ends_.find(member);
    if (known == durable_ends_.end()) return std::nullopt;
    committed = std::min(committed, known->second);
  }
  return committed;
}

LeaderOutput PartitionLeader::Advance() {
  LeaderOutput output;
  wait_leader_.ReleaseUpTo(local_durable_end(), output.released);
  const std::optional<Offset> committed = CommittedEnd();
  if (!committed.has_value() || *committed <= high_watermark_) return output;
  high_watermark_ = *committed;
  output.high_watermark = high_watermark_;
  wait_in_sync_.ReleaseUpTo(high_watermark_, output.released);
  return output;
}

}  // namespace talosmq::replication
