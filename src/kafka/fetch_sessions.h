#pragma once

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "kafka/error_code.h"
#include "kafka/protocol/fetch.h"

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
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
  std::vector<FetchedPartition> partitions;
};

/// Incremental fetch sessions (KIP-227): the partitions that a client fetches again and again, so
/// that it has to send only what it changes, and is answered only what is news.
///
/// A session belongs to no connection: whoever knows id and epoch goes on with it. The epoch rises
/// with each fetch, so that of two fetches with one epoch the later one is refused.
///
/// Invariants:
/// 1. At most sessions_max sessions of at most session_partitions_max partitions each, and of
///    partitions_max in all. A client that gets no session fetches without one.
/// 2. As in Kafka, one that was not used for kEvictionAge makes room for any other; one that was
///    made so long ago makes room for one of more partitions.
/// Thread-safe. Outlives the front whose clients it serves. Nothing of it survives a restart:
/// clients open another session then.
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
  };

  FetchSessions(Options options, Dependencies dependencies)
      : options_(options), dependencies_(dependencies) {}

  /// A request that names a session and epoch 0 or -1 ends it. kFetchSessionIdNotFound also when
  /// the session ends because it would become too large; kInvalidFetchSessionEpoch.
  FetchPlan Begin(const FetchRequest& request);

  /// Once all partitions of the plan are answered in `response`, in its order: takes out what the
  /// client of a session knows already, and fills in session and error.
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
  };
  using Sessions = absl::flat_hash_map<int32_t, std::unique_ptr<Session>>;

  FetchPlan GoOnLocked(const FetchRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  /// False: it has become too large.
  bool UpdateLocked(const FetchRequest& request, Session& session)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static void Put(FetchedPartition fetched, Session& session);
  static void Forget(const Name& name, Session& session);
  /// Whether `answer` tells more than the client knows, as it does from now on.
  static bool Learn(const FetchResponse::Topic::Partition& answer, Partition& known);

  void OpenLocked(const FetchPlan& plan, FetchResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReduceLocked(const FetchPlan& plan, FetchResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MakeRoomLocked(size_t partitions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool EvictLocked(size_t partitions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EraseLocked(int32_t id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  int32_t NewIdLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const Dependencies dependencies_;
  mutable base::Mutex mutex_;
  Sessions sessions_ ABSL_GUARDED_BY(mutex_);
  size_t partitions_ ABSL_GUARDED_BY(mutex_) = 0;  ///< Of all sessions.
};

}  // namespace talosmq::kafka
