#include "kafka/fetch_sessions.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

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

/// Each once, where it is named first, as it is asked for last.
std::vector<FetchedPartition> DistinctOf(std::vector<FetchedPartition> partitions) {
  absl::flat_hash_map<std::pair<std::string_view, int32_t>, size_t> places;
  std::vector<FetchedPartition> distinct;
  for (FetchedPartition& fetched : partitions) {
    const auto [place, is_new] =
        places.try_emplace({*fetched.topic, fetched.asked.partition}, distinct.size());
    if (is_new) {
      distinct.push_back(std::move(fetched));
    } else {
      distinct[place->second].asked = fetched.asked;
    }
  }
  return distinct;
}

/// Of all topics, those that are repeated too.
template <typename Topic>
size_t CountPartitions(const std::vector<Topic>& topics) {
  size_t count = 0;
  for (const Topic& topic : topics) count += topic.partitions.size();
  return count;
}

FetchPlan Refusal(ErrorCode error) {
  FetchPlan plan;
  plan.error = error;
  return plan;
}

bool HasRecords(const PartitionAnswer& answer) {
  return answer.records && !answer.records->empty();
}

bool HasFailed(const PartitionAnswer& answer) {
  return answer.error_code != Wire(ErrorCode::kNone);
}

bool IsPassedOver(const PartitionAnswer& answer) {
  return !HasFailed(answer) && answer.high_watermark < 0;
}

}  // namespace

FetchSessions::Ended::~Ended() {
  for (const auto& overtaking : overtaken_) overtaking->Cancel();
}

void FetchSessions::Ended::Add(std::shared_ptr<Cancellation> overtaking) {
  if (overtaking != nullptr) overtaken_.push_back(std::move(overtaking));
}

void FetchSessions::Ended::Add(std::unique_ptr<Session> session) {
  Add(session->overtaking);
  sessions_.push_back(std::move(session));
}

FetchSessions::FetchSessions(Options options, Dependencies dependencies)
    : options_(options),
      dependencies_(dependencies),
      open_(dependencies.metrics.AddGauge("talosmq_kafka_fetch_sessions",
                                          "Open fetch sessions of Kafka clients.", {})),
      open_partitions_(
          dependencies.metrics.AddGauge("talosmq_kafka_fetch_session_partitions",
                                        "Partitions in the open fetch sessions together.", {})),
      evictions_(dependencies.metrics.AddCounter(
          "talosmq_kafka_fetch_session_evictions_total",
          "Fetch sessions that have ended to make room for others.", {})) {
  const base::MutexLock lock(mutex_);
  CountLocked();
}

FetchPlan FetchSessions::Begin(const FetchRequest& request) {
  Ended ended;
  const bool is_whole =
      request.session_epoch == kOpeningEpoch || request.session_epoch == kFinalEpoch;
  if (!is_whole) {
    std::optional<Partitions> named = NamedBy(request);
    const base::MutexLock lock(mutex_);
    return GoOnLocked(request, named, ended);
  }
  if (request.session_id != kNoSession) {
    const base::MutexLock lock(mutex_);
    EraseLocked(request.session_id, ended);
  }
  FetchPlan plan;
  if (request.session_epoch == kOpeningEpoch) plan.kind = FetchPlan::Kind::kOpening;
  plan.partitions = DistinctOf(PartitionsOf(request));
  return plan;
}

std::optional<FetchSessions::Partitions> FetchSessions::NamedBy(const FetchRequest& request) const {
  const size_t max = options_.session_partitions_max;
  const bool is_small =
      CountPartitions(request.topics) <= max && CountPartitions(request.forgotten_topics) <= max;
  const bool is_known = std::ranges::all_of(
      request.topics, [](const auto& topic) { return topic.name.size() <= kNameBytesMax; });
  if (!is_small || !is_known) return std::nullopt;
  Partitions named;
  for (FetchedPartition& fetched : PartitionsOf(request)) {
    named.push_back({.fetched = std::move(fetched)});
  }
  return named;
}

FetchPlan FetchSessions::GoOnLocked(const FetchRequest& request, std::optional<Partitions>& named,
                                    Ended& ended) {
  const auto found = sessions_.find(request.session_id);
  if (found == sessions_.end()) return Refusal(ErrorCode::kFetchSessionIdNotFound);
  Session& session = *found->second;
  if (session.epoch != request.session_epoch) {
    return Refusal(ErrorCode::kInvalidFetchSessionEpoch);
  }
  if (!named || !UpdateLocked(request, *named, session)) {
    EraseLocked(request.session_id, ended);
    return Refusal(ErrorCode::kFetchSessionIdNotFound);
  }
  FetchPlan plan;
  if (session.partitions.empty()) {
    EraseLocked(request.session_id, ended);
    return plan;
  }
  ended.Add(std::exchange(session.overtaking, std::make_shared<Cancellation>()));
  session.used = dependencies_.clock.Monotonic();
  session.epoch = EpochAfter(session.epoch);
  plan.kind = FetchPlan::Kind::kIncremental;
  plan.session_id = request.session_id;
  plan.next_epoch = session.epoch;
  plan.overtaking = session.overtaking;
  plan.partitions.reserve(session.partitions.size());
  for (const Partition& partition : session.partitions) {
    plan.partitions.push_back(partition.fetched);
  }
  return plan;
}

bool FetchSessions::UpdateLocked(const FetchRequest& request, Partitions& named, Session& session) {
  partitions_ -= session.partitions.size();
  for (auto next = named.begin(); next != named.end();) Put(next++, named, session);
  for (const auto& topic : request.forgotten_topics) {
    for (const int32_t partition : topic.partitions) {
      Forget({topic.name, partition}, session, named);
    }
  }
  partitions_ += session.partitions.size();
  CountLocked();
  return session.partitions.size() <= options_.session_partitions_max &&
         partitions_ <= options_.partitions_max;
}

void FetchSessions::Put(Partitions::iterator partition, Partitions& named, Session& session) {
  const FetchedPartition& fetched = partition->fetched;
  const auto [place, is_new] =
      session.places.try_emplace({*fetched.topic, fetched.asked.partition}, partition);
  if (is_new) {
    session.partitions.splice(session.partitions.end(), named, partition);
  } else {
    place->second->fetched.asked = fetched.asked;
  }
}

void FetchSessions::Forget(const Name& name, Session& session, Partitions& forgotten) {
  const auto known = session.places.find(name);
  if (known == session.places.end()) return;
  const auto partition = known->second;
  session.places.erase(known);
  forgotten.splice(forgotten.end(), session.partitions, partition);
}

void FetchSessions::Finish(const FetchPlan& plan, FetchResponse& response) {
  switch (plan.kind) {
    case FetchPlan::Kind::kWhole:
      return;
    case FetchPlan::Kind::kOpening:
      return Open(plan, response);
    case FetchPlan::Kind::kIncremental: {
      const base::MutexLock lock(mutex_);
      return ReduceLocked(plan, response);
    }
  }
}

void FetchSessions::Open(const FetchPlan& plan, FetchResponse& response) {
  const bool is_kept = std::ranges::all_of(plan.partitions, [](const FetchedPartition& fetched) {
    return fetched.topic->size() <= kNameBytesMax;
  });
  const bool is_small = plan.partitions.size() <= options_.session_partitions_max;
  if (!is_kept || !is_small || plan.partitions.empty()) return;
  std::unique_ptr<Session> session = MakeSession(plan, response);
  Ended ended;
  const base::MutexLock lock(mutex_);
  if (!MakeRoomLocked(session->partitions.size(), ended)) return;
  partitions_ += session->partitions.size();
  response.session_id = NewIdLocked();
  sessions_.emplace(response.session_id, std::move(session));
  CountLocked();
}

std::unique_ptr<FetchSessions::Session> FetchSessions::MakeSession(
    const FetchPlan& plan, const FetchResponse& response) const {
  auto session = std::make_unique<Session>();
  session->made = session->used = dependencies_.clock.Monotonic();
  session->epoch = kFirstEpoch;
  Partitions named;
  for (const FetchedPartition& fetched : plan.partitions) named.push_back({.fetched = fetched});
  for (auto next = named.begin(); next != named.end();) Put(next++, named, *session);
  size_t place = 0;
  for (const TopicAnswer& topic : response.topics) {
    for (const PartitionAnswer& answer : topic.partitions) {
      const FetchedPartition& fetched = plan.partitions[place++];
      const auto known = session->places.find({*fetched.topic, fetched.asked.partition});
      if (known != session->places.end()) Learn(answer, *known->second);
    }
  }
  return session;
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
      const auto known = session.places.find({*fetched.topic, fetched.asked.partition});
      if (known == session.places.end() || IsPassedOver(answer)) continue;
      // What had its turn comes last next time, so that a full answer starves nobody.
      if (HasRecords(answer)) {
        session.partitions.splice(session.partitions.end(), session.partitions, known->second);
      }
      if (Learn(answer, *known->second)) news.push_back(std::move(answer));
    }
    topic.partitions = std::move(news);
  }
  std::erase_if(response.topics, [](const TopicAnswer& topic) { return topic.partitions.empty(); });
}

bool FetchSessions::Learn(const PartitionAnswer& answer, Partition& known) {
  const bool is_news =
      HasRecords(answer) || HasFailed(answer) || answer.diverging_epoch.end_offset >= 0 ||
      answer.high_watermark != known.high_watermark || answer.log_start_offset != known.log_start;
  // That an error is over is news as well.
  known.high_watermark = HasFailed(answer) ? -1 : answer.high_watermark;
  known.log_start = answer.log_start_offset;
  return is_news;
}

bool FetchSessions::MakeRoomLocked(size_t partitions, Ended& ended) {
  while (sessions_.size() >= options_.sessions_max ||
         partitions_ + partitions > options_.partitions_max) {
    if (!EvictLocked(partitions, ended)) return false;
  }
  return true;
}

bool FetchSessions::EvictLocked(size_t partitions, Ended& ended) {
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
  if (!evicted) return false;
  EraseLocked(*evicted, ended);
  evictions_.Add(1);
  return true;
}

void FetchSessions::EraseLocked(int32_t id, Ended& ended) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  partitions_ -= found->second->partitions.size();
  ended.Add(std::move(found->second));
  sessions_.erase(found);
  CountLocked();
}

void FetchSessions::CountLocked() {
  open_.Set(static_cast<double>(sessions_.size()));
  open_partitions_.Set(static_cast<double>(partitions_));
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
