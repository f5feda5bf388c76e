#pragma once

#include "base/clock.h"
#include "base/gate.h"
#include "base/mutex.h"
#include "broker/messages.h"
#include "broker/topics.h"
#include "sink/record_source.h"
#include "talosmq/ids.h"

#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

namespace talosmq::server {

/// Lets dump jobs read through the broker, as any front does.
///
/// Thread-safe. The services and the clock outlive it. Stop() gives up the reads that wait and
/// returns when every call has been answered; later calls answer kShuttingDown.
class BrokerRecordSource final : public sink::RecordSource {
 public:
  BrokerRecordSource(broker::MessageService& messages, broker::TopicService& topics,
                     const base::Clock& clock)
      : messages_(messages), topics_(topics), clock_(clock) {}

  void FindTopic(std::string name, base::Callback<absl::StatusOr<sink::SourceTopic>> done) override;
  void Read(TopicPartition source, Offset offset, int64_t bytes_max, absl::Duration wait,
            base::Callback<absl::StatusOr<sink::SourceRead>> done) override;
  void FindStart(TopicPartition source, base::Callback<absl::StatusOr<Offset>> done) override;
  void FindEnd(TopicPartition source, base::Callback<absl::StatusOr<Offset>> done) override;

  void Stop();

 private:
  struct WaitingRead {
    TopicPartition source;
    std::optional<broker::FetchTicket> ticket;  ///< Nothing until Fetch has returned.
  };

  void FindOffset(TopicPartition source, broker::OffsetSpec spec,
                  base::Callback<absl::StatusOr<Offset>> done);
  /// The number under which a read can be given up.
  uint64_t BeginRead(TopicPartition source);
  /// Notes the ticket; gives the read up at once when Stop came in between.
  void NoteTicket(uint64_t read, broker::FetchTicket ticket);
  void EndRead(uint64_t read);

  broker::MessageService& messages_;
  broker::TopicService& topics_;
  const base::Clock& clock_;

  base::Gate gate_;
  base::Mutex mutex_;
  bool is_stopping_ ABSL_GUARDED_BY(mutex_) = false;
  uint64_t last_read_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<uint64_t, WaitingRead> reads_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace talosmq::server
