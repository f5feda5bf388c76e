#include "server/broker_record_source.h"

#include "base/status.h"
#include "base/text.h"
#include "metadata/cluster_image.h"

#include <memory>
#include <vector>

namespace talosmq::server {
namespace {

absl::Status Stopping() {
  return MakeError(Reason::kShuttingDown, "dump jobs: the server is stopping");
}

}  // namespace

void BrokerRecordSource::FindTopic(std::string name,
                                   base::Callback<absl::StatusOr<sink::SourceTopic>> done) {
  const std::shared_ptr<const metadata::ClusterImage> image = topics_.image();
  const std::shared_ptr<const metadata::TopicImage> topic = image->FindTopic(name);
  if (topic == nullptr || topic->state == metadata::TopicState::kDeleting) {
    return done(
        MakeError(Reason::kUnknownTopic,
                  base::StrCat("topic '", base::Printable(name, 249),
                               topic == nullptr ? "' does not exist" : "' is being deleted")));
  }
  done(sink::SourceTopic{.id = topic->id,
                         .name = topic->name,
                         .partitions = static_cast<int32_t>(topic->partitions.size())});
}

void BrokerRecordSource::Read(TopicPartition source, Offset offset, int64_t bytes_max,
                              absl::Duration wait,
                              base::Callback<absl::StatusOr<sink::SourceRead>> done) {
  auto pass = gate_.Enter();
  if (!pass.has_value()) return done(Stopping());
  const uint64_t read = BeginRead(source);
  const broker::FetchRequest request{.source = source,
                                     .known_epoch = kNoEpoch,
                                     .offset = offset,
                                     .bytes_max = bytes_max,
                                     .wait_until = clock_.Monotonic() + wait};
  const broker::FetchTicket ticket =
      messages_.Fetch(request, [this, read, pass = std::move(*pass),
                                done = std::move(done)](broker::FetchOutcome outcome) mutable {
        EndRead(read);
        if (!outcome.status.ok()) return done(outcome.status);
        done(sink::SourceRead{.chunks = std::move(outcome.chunks),
                              .next_offset = outcome.next_offset,
                              .high_watermark = outcome.high_watermark});
      });
  NoteTicket(read, ticket);
}

uint64_t BrokerRecordSource::BeginRead(TopicPartition source) {
  const base::MutexLock lock(mutex_);
  reads_.emplace(++last_read_, WaitingRead{.source = source, .ticket = std::nullopt});
  return last_read_;
}

void BrokerRecordSource::NoteTicket(uint64_t read, broker::FetchTicket ticket) {
  std::optional<TopicPartition> given_up;
  {
    const base::MutexLock lock(mutex_);
    const auto found = reads_.find(read);
    if (found == reads_.end()) return;  // Answered already.
    found->second.ticket = ticket;
    if (is_stopping_) given_up = found->second.source;
  }
  if (given_up.has_value()) messages_.CancelFetches({{*given_up, ticket}});
}

void BrokerRecordSource::EndRead(uint64_t read) {
  const base::MutexLock lock(mutex_);
  reads_.erase(read);
}

void BrokerRecordSource::FindStart(TopicPartition source,
                                   base::Callback<absl::StatusOr<Offset>> done) {
  FindOffset(source, broker::FromStart{}, std::move(done));
}

void BrokerRecordSource::FindEnd(TopicPartition source,
                                 base::Callback<absl::StatusOr<Offset>> done) {
  FindOffset(source, broker::FromEnd{}, std::move(done));
}

void BrokerRecordSource::FindOffset(TopicPartition source, broker::OffsetSpec spec,
                                    base::Callback<absl::StatusOr<Offset>> done) {
  auto pass = gate_.Enter();
  if (!pass.has_value()) return done(Stopping());
  messages_.FindOffset({.source = source, .known_epoch = kNoEpoch, .spec = spec},
                       [pass = std::move(*pass),
                        done = std::move(done)](const broker::OffsetOutcome& outcome) mutable {
                         if (!outcome.status.ok()) return done(outcome.status);
                         done(outcome.offset);
                       });
}

void BrokerRecordSource::Stop() {
  std::vector<broker::NamedFetch> waiting;
  {
    const base::MutexLock lock(mutex_);
    is_stopping_ = true;
    for (const auto& [number, read] : reads_) {
      if (read.ticket.has_value()) waiting.push_back({read.source, *read.ticket});
    }
  }
  messages_.CancelFetches(waiting);
  gate_.CloseAndWait();
}

}  // namespace talosmq::server
