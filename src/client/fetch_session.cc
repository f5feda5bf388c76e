#include "client/fetch_session.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <utility>

namespace talosmq::client {

std::shared_ptr<FetchSession> FetchSession::Open(const std::string& address, int64_t credit_bytes,
                                                 Transport& transport, base::Executor& executor,
                                                 std::weak_ptr<FetchListener> listener) {
  std::shared_ptr<FetchSession> session(
      new FetchSession(address, credit_bytes, executor, std::move(listener)));
  session->stream_ = transport.OpenFetch(address, session);
  return session;
}

FetchSession::FetchSession(std::string address, int64_t credit_bytes, base::Executor& executor,
                           std::weak_ptr<FetchListener> listener)
    : address_(std::move(address)),
      credit_worth_telling_(credit_bytes / 8),
      executor_(executor),
      listener_(std::move(listener)) {
  next_.credit_bytes = credit_bytes;
}

void FetchSession::Subscribe(const FetchSubscription& subscription) {
  next_.subscribe.push_back(subscription);
  PostWrite();
}

void FetchSession::Unsubscribe(uint64_t id) {
  next_.unsubscribe.push_back(id);
  PostWrite();
}

void FetchSession::AddCredit(int64_t bytes) {
  next_.credit_bytes += bytes;
  if (next_.credit_bytes >= credit_worth_telling_) PostWrite();
}

void FetchSession::Close() {
  closed_ = true;
  stream_.reset();
}

void FetchSession::PostWrite() {
  if (writing_ || closed_ || std::exchange(write_posted_, true)) return;
  executor_.Post([self = shared_from_this()] {
    self->write_posted_ = false;
    self->WriteNext();
  });
}

void FetchSession::WriteNext() {
  const bool nothing = next_.subscribe.empty() && next_.unsubscribe.empty() &&
                       next_.credit_bytes < credit_worth_telling_;
  if (writing_ || closed_ || nothing) return;
  writing_ = true;
  stream_->Write(std::exchange(next_, {}));
}

void FetchSession::OnWritten() {
  executor_.Post([self = shared_from_this()] {
    self->writing_ = false;
    self->WriteNext();
  });
}

void FetchSession::OnFetched(std::vector<FetchedPartition> partitions) {
  executor_.Post([self = shared_from_this(), partitions = std::move(partitions)]() mutable {
    const auto listener = self->listener_.lock();
    if (listener != nullptr) listener->OnFetched(*self, std::move(partitions));
  });
}

void FetchSession::OnClosed(absl::Status why) {
  executor_.Post([self = shared_from_this(), why = std::move(why)] {
    self->Close();
    const auto listener = self->listener_.lock();
    if (listener == nullptr) return;
    listener->OnClosed(*self, MakeError(Reason::kUnavailable,
                                        base::StrCat("fetch stream to ", self->address_,
                                                     " ended: ", base::FromAbsl(why.message()))));
  });
}

}  // namespace talosmq::client
