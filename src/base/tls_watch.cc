#include "base/tls_watch.h"

#include "base/log.h"
#include "base/status.h"

#include <utility>

namespace talosmq::base {

absl::StatusOr<std::shared_ptr<TlsWatch>> TlsWatch::Start(TlsFiles files, Executor& executor) {
  TALOSMQ_ASSIGN_OR_RETURN(auto material, ReadTlsFiles(files));
  const std::shared_ptr<TlsWatch> watch(
      new TlsWatch(std::move(files), executor, std::move(material)));
  watch->LookLater();
  return watch;
}

std::shared_ptr<const TlsMaterial> TlsWatch::current() const {
  const MutexLock lock(mutex_);
  return current_;
}

absl::Status TlsWatch::SetListener(Listener listener) {
  const auto shared = std::make_shared<const Listener>(std::move(listener));
  while (true) {
    const std::shared_ptr<const TlsMaterial> told = current();
    absl::Status status = (*shared)(*told);
    const MutexLock lock(mutex_);
    // A look meanwhile has told nobody what it found.
    if (current_ != told) continue;
    listener_ = shared;
    return status;
  }
}

void TlsWatch::LookLater() {
  executor_.PostAfter(kTlsReloadInterval, [weak = weak_from_this()] {
    if (const std::shared_ptr<TlsWatch> watch = weak.lock()) watch->Look();
  });
}

void TlsWatch::Look() {
  Tell(TakeOverChange());
  LookLater();
}

absl::Status TlsWatch::TakeOverChange() {
  TALOSMQ_ASSIGN_OR_RETURN(const auto found, ReadTlsFiles(files_));
  std::shared_ptr<const Listener> listener;
  {
    const MutexLock lock(mutex_);
    if (found->ca == current_->ca && found->certificate == current_->certificate &&
        found->key == current_->key) {
      return absl::OkStatus();
    }
    listener = listener_;
    // Together with the look at listener_: SetListener goes by current_.
    if (listener == nullptr) current_ = found;
  }
  if (listener != nullptr) {
    TALOSMQ_RETURN_IF_ERROR((*listener)(*found));
    const MutexLock lock(mutex_);
    current_ = found;
  }
  LogInfo("tls",
          "the changed files are in force for connections made from now on: ", files_.certificate,
          " ", files_.key, " ", files_.ca);
  return absl::OkStatus();
}

void TlsWatch::Tell(const absl::Status& outcome) {
  if (outcome.ok()) {
    last_error_.clear();
    return;
  }
  if (outcome.message() != last_error_) {
    last_error_ = std::string(outcome.message());
    is_told_ = false;
  } else if (!std::exchange(is_told_, true)) {
    LogWarning("tls",
               "the changed files cannot be used, the old ones stay in force: ", last_error_);
  }
}

}  // namespace talosmq::base
