#include "rpc/bidi_stream.h"

#include "base/check.h"
#include "rpc/error_status.h"

#include <utility>

namespace talosmq::rpc {

void BidiStream::Begin() {
  self_ = shared_from_this();
  if (!registry_.Add(self_)) EndWith(MakeError(Reason::kShuttingDown, "the server is stopping"));
  Advance();
}

void BidiStream::Advance() {
  {
    const base::MutexLock lock(mutex_);
    if (advancing_) {
      advance_again_ = true;
      return;
    }
    advancing_ = true;
  }
  // After Finish gRPC may let go of the stream on another thread.
  const auto self = shared_from_this();
  for (;;) {
    AdvanceOnce();
    const base::MutexLock lock(mutex_);
    if (!advance_again_) {
      advancing_ = false;
      return;
    }
    advance_again_ = false;
  }
}

void BidiStream::AdvanceOnce() {
  Work();
  WriteIfReady();
  ReadIfWanted();
  FinishIfOver();
}

void BidiStream::ReadIfWanted() {
  {
    const base::MutexLock lock(mutex_);
    if (reading_ || reading_over_ || finished_) return;
  }
  if (!HasRoomToRead()) return;
  {
    const base::MutexLock lock(mutex_);
    reading_ = true;
  }
  StartRead(&incoming_);
}

void BidiStream::WriteIfReady() {
  {
    const base::MutexLock lock(mutex_);
    if (writing_ || broken_ || finished_) return;
  }
  std::optional<OutgoingMessage> message = TakeMessage();
  if (!message.has_value()) return;
  {
    const base::MutexLock lock(mutex_);
    writing_ = true;
  }
  outgoing_.Swap(&message->bytes);
  grpc::WriteOptions options;
  if (message->more_follows) options.set_buffer_hint();
  StartWrite(&outgoing_, options);
}

void BidiStream::FinishIfOver() {
  bool is_broken = false;
  {
    const base::MutexLock lock(mutex_);
    if (finished_ || writing_) return;
    is_broken = broken_;
    // Only a message that is read or being handled can add to what is owed.
    if (!is_broken && (!reading_over_ || handling_)) return;
  }
  if (!is_broken && !IsQuiet()) return;
  absl::Status end;
  {
    const base::MutexLock lock(mutex_);
    finished_ = true;
    end = end_;
  }
  Finish(EndOfCall(context_, end));
}

void BidiStream::EndWith(const absl::Status& status) {
  {
    const base::MutexLock lock(mutex_);
    reading_over_ = true;
    end_.Update(status);
  }
  OnEnding();
  Advance();
}

void BidiStream::Drain() { EndWith(MakeError(Reason::kShuttingDown, "the server is stopping")); }

void BidiStream::OnReadDone(bool ok) {
  bool is_wanted = false;
  {
    const base::MutexLock lock(mutex_);
    is_wanted = ok && !reading_over_;
    handling_ = is_wanted;
    if (!ok) reading_over_ = true;
  }
  absl::Status status;
  if (is_wanted) {
    grpc::ByteBuffer message;
    message.Swap(&incoming_);
    status = OnMessage(std::move(message));
  }
  incoming_.Clear();
  {
    const base::MutexLock lock(mutex_);
    reading_ = false;
    handling_ = false;
  }
  if (status.ok()) {
    Advance();
  } else {
    EndWith(status);
  }
}

void BidiStream::OnWriteDone(bool ok) {
  outgoing_.Clear();
  {
    const base::MutexLock lock(mutex_);
    writing_ = false;
    broken_ = broken_ || !ok;
  }
  if (!ok) OnEnding();
  Advance();
}

void BidiStream::OnCancel() {
  {
    const base::MutexLock lock(mutex_);
    broken_ = true;
    reading_over_ = true;
    end_.Update(MakeError(Reason::kCancelled, "the client has given the stream up"));
  }
  OnEnding();
  Advance();
}

void BidiStream::OnDone() {
  registry_.Remove(*this);
  OnEnding();
  self_.reset();
}

}  // namespace talosmq::rpc
