#pragma once

#include "base/executor.h"
#include "client/transport.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace talosmq::client {

class FetchSession;

/// Who hears what happens on a session. Called on the executor.
class FetchListener {
 public:
  virtual ~FetchListener() = default;
  virtual void OnFetched(FetchSession& session, std::vector<FetchedPartition> partitions) = 0;
  /// Last call: all subscriptions are gone.
  virtual void OnClosed(FetchSession& session, const absl::Status& why) = 0;
};

/// One fetch stream: puts the commands that come up while one is being written into the next one.
///
/// Confined to the client's executor; the observer calls come from the transport and are posted.
/// Shared by its owner and its stream; closed for good when the stream ends.
class FetchSession : public FetchObserver, public std::enable_shared_from_this<FetchSession> {
 public:
  /// Gives the server `credit_bytes` to begin with.
  static std::shared_ptr<FetchSession> Open(const std::string& address, int64_t credit_bytes,
                                            Transport& transport, base::Executor& executor,
                                            std::weak_ptr<FetchListener> listener);

  void Subscribe(const FetchSubscription& subscription);
  void Unsubscribe(uint64_t id);
  /// Told to the server once it is worth a message.
  void AddCredit(int64_t bytes);
  bool is_closed() const { return closed_; }
  /// Cancels the stream, which shares this session; a last OnClosed may come.
  void Close();
  const std::string& address() const { return address_; }

  void OnWritten() override;
  void OnFetched(std::vector<FetchedPartition> partitions) override;
  void OnClosed(absl::Status why) override;

 private:
  FetchSession(std::string address, int64_t credit_bytes, base::Executor& executor,
               std::weak_ptr<FetchListener> listener);
  /// Writes from a task of its own, so that what is asked in one go shares a message.
  void PostWrite();
  void WriteNext();

  const std::string address_;
  const int64_t credit_worth_telling_;
  base::Executor& executor_;
  const std::weak_ptr<FetchListener> listener_;
  std::unique_ptr<FetchStream> stream_;
  FetchCommand next_;
  bool write_posted_ = false;
  bool writing_ = false;
  bool closed_ = false;
};

}  // namespace talosmq::client
