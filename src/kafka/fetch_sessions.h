#pragma once

#include "base/clock.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "base/random.h"
#include "kafka/cancellation.h"
#include "kafka/error_code.h"
#include "kafka/protocol/fetch.h"

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace talosmq::kafka {

/// One partition as a client fetches it.
struct FetchedPartition {
  std::shared_ptr<const std::string> topic;  ///< Shared by the partitions of one request.
  FetchRequest::Topic::Partition asked;
};

/// What one fetch is to read, and what of its answer the client knows already.
struct FetchPlan {
  enum class Kind {
    kWhole,        ///< The answer names all partitions.
    kOpening,      ///< So it does, and opens a session if there is room for one.
    kIncremental,  ///< The answer names what is news in its session.
  };
  Kind kind = Kind::kWhole;
  ErrorCode error = ErrorCode::kNone;  ///< Any other one: nothing is to be read.
  int32_t session_id = 0;              ///< That an incremental fetch goes on with.
  int32_t next_epoch = 0;              ///< Of the fetch after it.
  /// Of an incremental fetch: cancelled when another one goes on with its session, or the session
  /// ends. What it reads from then on is not told to anybody.
  std::shared_ptr<Cancellation> overtaking;
  std::vector<FetchedPartition> partitions;

  bool is_overtaken() const { return overtaking != nullptr && overtaking->is_cancelled(); }
};

/// Incremental fetch sessions (KIP-227): the partitions that a client fetches again and again, so
/// that it has to send only what it changes, and is answered only what is news.
///
/// A session belongs to no connection: whoever knows id and epoch goes on with it. The epoch rises
/// with each fetch, so that of two fetches with one epoch the later one is refused. As in Kafka,
/// the next fetch may come while one still waits, whose client may have lost its connection: that
/// one is overtaken, told so, and refused.
///
/// Invariants:
/// 1. At most sessions_max sessions of at most session_partitions_max partitions each, and of
///    partitions_max in all. A client that gets no session fetches without one.
/// 2. As in Kafka, one that was not used for kEvictionAge makes room for any other; one that was
///    made so long ago makes room for one of more partitions.
/// 3. Of the fetches of a session at most one is not overtaken.
/// Thread-safe; those that are overtaken are told on the thread of whoever overtakes them. Outlives
/// the front whose clients it serves. Nothing of it survives a restart: clients open another
/// session then.
class FetchSessions {
 public:
  static constexpr absl::Duration kEvictionAge = absl::Minutes(2);

  struct Options {
    size_t sessions_max = 1000;
    size_t session_partitions_max = 10'000;
    size_t partitions_max = 200'000;
  };
  struct Dependencies {
    const base::Clock& clock;
    base::Random& random;  ///< Used under the lock only.
    base::MetricRegistry& metrics;
  };

  FetchSessions(Options options, Dependencies dependencies);

  /// A request that names a session and epoch 0 or -1 ends it. kFetchSessionIdNotFound also when
  /// the session ends because it would become too large; kInvalidFetchSessionEpoch.
  FetchPlan Begin(const FetchRequest& request);

  /// Once all partitions of the plan are answered in `response`, in its order: takes out what the
  /// client of a session knows already, and fills in session and error. An answer that has neither
  /// an error nor a high watermark stands for a partition that was passed over: a session tells and
  /// learns nothing of it.
  void Finish(const FetchPlan& plan, FetchResponse& response);

  size_t size() const;

 private:
  /// A partition and what the client was told of it last; -1: it is to be told in any case.
  struct Partition {
    FetchedPartition fetched;
    int64_t high_watermark = -1;
    int64_t log_start = -1;
  };
  using Partitions = std::list<Partition>;
  using Name = std::pair<std::string_view, int32_t>;  ///< Views a partition of the session.
  struct Session {
    absl::Duration made;  ///< By Clock::Monotonic(), as `used`.
    absl::Duration used;
    int32_t epoch = 0;      ///< Of its next fetch.
    Partitions partitions;  ///< In the order in which they are read.
    absl::flat_hash_map<Name, Partitions::iterator> places;
    std::shared_ptr<Cancellation> overtaking;  ///< Of its last fetch; null before the first.
  };
  using Sessions = absl::flat_hash_map<int32_t, std::unique_ptr<Session>>;
  /// What ends under the lock: it is told, and freed, outside of it.
  class Ended {
   public:
    Ended() = default;
    Ended(const Ended&) = delete;
    Ended& operator=(const Ended&) = delete;
    ~Ended();
    void Add(std::shared_ptr<Cancellation> overtaking);
    void Add(std::unique_ptr<Session> session);

   private:
    std::vector<std::shared_ptr<Cancellation>> overtaken_;
    std::vector<std::unique_ptr<Session>> sessions_;
  };

  /// Those that `request` names; nothing: it names or forgets what no session has room for.
  std::optional<Partitions> NamedBy(const FetchRequest& request) const;
  /// What is left in `named` is not needed any more.
  FetchPlan GoOnLocked(const FetchRequest& request, std::optional<Partitions>& named, Ended& ended)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// False: it has become too large.
  bool UpdateLocked(const FetchRequest& request, Partitions& named, Session& session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Moves `partition` from `named` into the session; what the session has already is changed.
  static void Put(Partitions::iterator partition, Partitions& named, Session& session);
  static void Forget(const Name& name, Session& session, Partitions& forgotten);
  /// Whether `answer` tells more than the client knows, as it does from now on.
  static bool Learn(const FetchResponse::Topic::Partition& answer, Partition& known);

  void Open(const FetchPlan& plan, FetchResponse& response);
  std::unique_ptr<Session> MakeSession(const FetchPlan& plan, const FetchResponse& response) const;
  void ReduceLocked(const FetchPlan& plan, FetchResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MakeRoomLocked(size_t partitions, Ended& ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool EvictLocked(size_t partitions, Ended& ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseLocked(int32_t id, Ended& ended) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int32_t NewIdLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// Lets the gauges tell how many there are.
  void CountLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Dependencies dependencies_;
  base::Gauge& open_;
  base::Gauge& open_partitions_;
  base::Counter& evictions_;
  mutable base::Mutex mutex_;
  Sessions sessions_ ABSL_GUARDED_BY(mutex_);
  size_t partitions_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Of all sessions.
};

}  // namespace talosmq::kafka
