#include "kafka/fetch_sessions.h"

#include <algorithm>
#include <limits>
#include <optional>

namespace talosmq::kafka {
namespace {

using TopicAnswer = FetchResponse::Topic;
using PartitionAnswer = FetchResponse::Topic::Partition;

constexpr int32_t kNoSession = 0;
constexpr int32_t kFirstEpoch = 1;
constexpr int32_t kOpeningEpoch = 0;
constexpr int32_t kFinalEpoch = -1;
/// Nobody has a topic of a longer name, and no session keeps one.
constexpr size_t kNameBytesMax = 249;

int32_t EpochAfter(int32_t epoch) {
  return epoch == std::numeric_limits<int32_t>::max() ? kFirstEpoch : epoch + 1;
}

std::vector<FetchedPartition> PartitionsOf(const FetchRequest& request) {
  std::vector<FetchedPartition> partitions;
  for (const auto& topic : request.topics) {
    const auto name = std::make_shared<const std::string>(topic.name);
    for (const auto& asked : topic.partitions)
      partitions.push_back({.topic = name, .asked = asked});
  }
  return partitions;
}

FetchPlan Refusal(ErrorCode error) {
  FetchPlan plan;
  plan.error = error;
  return plan;
}

bool HasRecords(const PartitionAnswer& answer) {
  return answer.records && !answer.records->empty();
}

}  // namespace

FetchPlan FetchSessions::Begin(const FetchRequest& request) {
  const bool is_whole =
      request.session_epoch == kOpeningEpoch || request.session_epoch == kFinalEpoch;
  if (!is_whole) {
    const base::MutexLock lock(mutex_);
    return GoOnLocked(request);
  }
  if (request.session_id != kNoSession) {
    const base::MutexLock lock(mutex_);
    EraseLocked(request.session_id);
  }
  FetchPlan plan;
  if (request.session_epoch == kOpeningEpoch) plan.kind = FetchPlan::Kind::kOpening;
  plan.partitions = PartitionsOf(request);
  return plan;
}

FetchPlan FetchSessions::GoOnLocked(const FetchRequest& request) {
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) return Refusal(ErrorCode::kFetchSessionIdNotFound);
  Session& session = *found->second;
  if (session.epoch != request.session_epoch) {
    return Refusal(ErrorCode::kInvalidFetchSessionEpoch);
  }
  if (!UpdateLocked(request, session)) {
    EraseLocked(request.session_id);
    return Refusal(ErrorCode::kFetchSessionIdNotFound);
  }
  FetchPlan plan;
  if (session.partitions.empty()) {
    EraseLocked(request.session_id);
    return plan;
  }
  session.used = dependencies_.clock.Monotonic();
  session.epoch = EpochAfter(session.epoch);
  plan.kind = FetchPlan::Kind::kIncremental;
  plan.session_id = request.session_id;
  plan.next_epoch = session.epoch;
  plan.partitions.reserve(session.partitions.size());
  for (const Partition& partition : session.partitions) {
    plan.partitions.push_back(partition.fetched);
  }
  return plan;
}

bool FetchSessions::UpdateLocked(const FetchRequest& request, Session& session) {
  bool has_room = true;
  partitions_ -= session.partitions.size();
  for (FetchedPartition& fetched : PartitionsOf(request)) {
    has_room = has_room && fetched.topic->size() <= kNameBytesMax;
    Put(std::move(fetched), session);
  }
  for (const auto& topic : request.forgotten_topics) {
    for (const int32_t partition : topic.partitions) Forget({topic.name, partition}, session);
  }
  partitions_ += session.partitions.size();
  return has_room && session.partitions.size() <= options_.session_partitions_max &&
         partitions_ <= options_.partitions_max;
}

void FetchSessions::Put(FetchedPartition fetched, Session& session) {
  const auto known = session.places.find({*fetched.topic, fetched.asked.partition});
  if (known != session.places.end()) {
    known->second->fetched.asked = fetched.asked;
    return;
  }
  session.partitions.push_back({.fetched = std::move(fetched)});
  const auto last = std::prev(session.partitions.end());
  session.places.emplace(Name(*last->fetched.topic, last->fetched.asked.partition), last);
}

void FetchSessions::Forget(const Name& name, Session& session) {
  const auto known = session.places.find(name);
  if (known == session.places.end()) return;
  const auto partition = known->second;
  session.places.erase(known);
  session.partitions.erase(partition);
}

void FetchSessions::Finish(const FetchPlan& plan, FetchResponse& response) {
  switch (plan.kind) {
    case FetchPlan::Kind::kWhole:
      return;
    case FetchPlan::Kind::kOpening: {
      const base::MutexLock lock(mutex_);
      return OpenLocked(plan, response);
    }
    case FetchPlan::Kind::kIncremental: {
      const base::MutexLock lock(mutex_);
      return ReduceLocked(plan, response);
    }
  }
}

void FetchSessions::OpenLocked(const FetchPlan& plan, FetchResponse& response) {
  const bool is_kept = std::ranges::all_of(plan.partitions, [](const FetchedPartition& fetched) {
    return fetched.topic->size() <= kNameBytesMax;
  });
  if (!is_kept || plan.partitions.empty() || !MakeRoomLocked(plan.partitions.size())) return;
  auto session = std::make_unique<Session>();
  session->made = session->used = dependencies_.clock.Monotonic();
  session->epoch = kFirstEpoch;
  for (const FetchedPartition& fetched : plan.partitions) Put(fetched, *session);
  size_t place = 0;
  for (const TopicAnswer& topic : response.topics) {
    for (const PartitionAnswer& answer : topic.partitions) {
      const FetchedPartition& fetched = plan.partitions[place++];
      Learn(answer, *session->places.at({*fetched.topic, fetched.asked.partition}));
    }
  }
  partitions_ += session->partitions.size();
  response.session_id = NewIdLocked();
  sessions_.emplace(response.session_id, std::move(session));
}

void FetchSessions::ReduceLocked(const FetchPlan& plan, FetchResponse& response) {
  const auto found = sessions_.find(plan.session_id);
  const bool is_overtaken = found == sessions_.end() || found->second->epoch != plan.next_epoch;
  if (is_overtaken) {
    response.topics.clear();
    response.error_code = Wire(found == sessions_.end() ? ErrorCode::kFetchSessionIdNotFound
                                                        : ErrorCode::kInvalidFetchSessionEpoch);
    return;
  }
  Session& session = *found->second;
  response.session_id = plan.session_id;
  size_t place = 0;
  for (TopicAnswer& topic : response.topics) {
    std::vector<PartitionAnswer> news;
    for (PartitionAnswer& answer : topic.partitions) {
      const FetchedPartition& fetched = plan.partitions[place++];
      const auto known = session.places.at({*fetched.topic, fetched.asked.partition});
      // What had its turn comes last next time, so that a full answer starves nobody.
      if (HasRecords(answer)) {
        session.partitions.splice(session.partitions.end(), session.partitions, known);
      }
      if (Learn(answer, *known)) news.push_back(std::move(answer));
    }
    topic.partitions = std::move(news);
  }
  std::erase_if(response.topics, [](const TopicAnswer& topic) { return topic.partitions.empty(); });
}

bool FetchSessions::Learn(const PartitionAnswer& answer, Partition& known) {
  const bool has_failed = answer.error_code != Wire(ErrorCode::kNone);
  const bool is_news = HasRecords(answer) || has_failed || answer.diverging_epoch.end_offset >= 0 ||
                       answer.high_watermark != known.high_watermark ||
                       answer.log_start_offset != known.log_start;
  // That an error is over is news as well.
  known.high_watermark = has_failed ? -1 : answer.high_watermark;
  known.log_start = answer.log_start_offset;
  return is_news;
}

bool FetchSessions::MakeRoomLocked(size_t partitions) {
  if (partitions > options_.session_partitions_max) return false;
  while (sessions_.size() >= options_.sessions_max ||
         partitions_ + partitions > options_.partitions_max) {
    if (!EvictLocked(partitions)) return false;
  }
  return true;
}

bool FetchSessions::EvictLocked(size_t partitions) {
  const absl::Duration now = dependencies_.clock.Monotonic();
  std::optional<int32_t> stalest;
  std::optional<int32_t> smallest;
  absl::Duration used = now - kEvictionAge;
  size_t size = partitions;
  for (const auto& [id, session] : sessions_) {
    if (session->used < used) {
      used = session->used;
      stalest = id;
    }
    if (session->made < now - kEvictionAge && session->partitions.size() < size) {
      size = session->partitions.size();
      smallest = id;
    }
  }
  const std::optional<int32_t> evicted = stalest ? stalest : smallest;
  if (evicted) EraseLocked(*evicted);
  return evicted.has_value();
}

void FetchSessions::EraseLocked(int32_t id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  partitions_ -= found->second->partitions.size();
  sessions_.erase(found);
}

int32_t FetchSessions::NewIdLocked() {
  constexpr uint64_t kIdMax = std::numeric_limits<int32_t>::max();
  while (true) {
    const auto id = static_cast<int32_t>(dependencies_.random.Next() % kIdMax) + 1;
    if (!sessions_.contains(id)) return id;
  }
}

size_t FetchSessions::size() const {
  const base::MutexLock lock(mutex_);
  return sessions_.size();
}

}  // namespace talosmq::kafka
