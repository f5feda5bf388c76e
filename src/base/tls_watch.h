#pragma once

#include "base/executor.h"
#include "base/mutex.h"
#include "base/tls_files.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

#include <functional>
#include <memory>
#include <string>

namespace talosmq::base {

/// How often files are looked at for a change; the connections made later use what is found.
inline constexpr absl::Duration kTlsReloadInterval = absl::Seconds(1);

/// The files of one side of TLS and what of them is in force.
///
/// Invariants:
/// 1. What is in force has passed ReadTlsFiles as a whole: a new certificate whose key does not fit
///    changes nothing, on no port.
/// 2. What makes the files unusable for two looks is told once in the log, by name. One look
/// between
///    the renaming of two files tells nothing.
/// Thread-safe. Shared by who uses it; its timer holds it weakly. The executor, on which files are
/// read, outlives it.
class TlsWatch : public std::enable_shared_from_this<TlsWatch> {
 public:
  /// Takes over what has been read; a status that is not OK keeps the old in force until the next
  /// look.
  using Listener = std::function<absl::Status(const TlsMaterial&)>;

  /// kInvalidConfig as ReadTlsFiles has it.
  static absl::StatusOr<std::shared_ptr<TlsWatch>> Start(TlsFiles files, Executor& executor);

  const TlsFiles& files() const { return files_; }
  std::shared_ptr<const TlsMaterial> current() const;
  /// Calls the listener with what is in force, now, and with every change, on the executor. A
  /// change that comes in meanwhile is told before this returns. At most once. Returns what the
  /// listener answered last.
  absl::Status SetListener(Listener listener);

 private:
  TlsWatch(TlsFiles files, Executor& executor, std::shared_ptr<const TlsMaterial> material)
      : files_(std::move(files)), executor_(executor), current_(std::move(material)) {}

  void LookLater();
  void Look();
  absl::Status TakeOverChange();
  void Tell(const absl::Status& outcome);

  const TlsFiles files_;
  Executor& executor_;
  // Of the executor alone.
  std::string last_error_;  ///< Of the last look, empty when all was well.
  bool is_told_ = false;    ///< About last_error_.

  mutable Mutex mutex_;
  std::shared_ptr<const TlsMaterial> current_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const Listener> listener_ ABSL_GUARDED_BY(mutex_);  ///< Null without one.
};

}  // namespace talosmq::base
