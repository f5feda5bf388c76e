#include "server/store_witness.h"

#include "base/log.h"
#include "base/status.h"
#include "server/await.h"

#include <utility>

namespace talosmq::server {

absl::Status StoreWitness::Record() {
  TALOSMQ_ASSIGN_OR_RETURN(const kv::StoreMark mark, dependencies_.store.Sync());
  return dependencies_.directory.NoteStore(mark);
}

void StoreWitness::Start() {
  dependencies_.executor.Post([this] { RecordLater(); });
}

void StoreWitness::RecordLater() {
  if (is_stopping_) return;
  timer_ = dependencies_.executor.PostAfter(kInterval, [this] {
    TryRecord();
    RecordLater();
  });
}

void StoreWitness::TryRecord() {
  const absl::Status recorded = Record();
  if (!recorded.ok() && !has_failed_) {
    base::LogWarning("server", "node.json cannot follow the metadata store: ", recorded.message());
  }
  has_failed_ = !recorded.ok();
}

void StoreWitness::Stop() {
  Await<absl::Status>([this](auto done) {
    dependencies_.executor.Post([this, done = std::move(done)]() mutable {
      is_stopping_ = true;
      dependencies_.executor.Cancel(timer_);
      TryRecord();
      done(absl::OkStatus());
    });
  }).IgnoreError();
}

}  // namespace talosmq::server
