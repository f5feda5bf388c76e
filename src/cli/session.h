#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "cli/document.h"
#include "cli/exit_status.h"
#include "cli/forced_end.h"
#include "cli/interrupt.h"
#include "io/file_system.h"
#include "io/stream.h"
#include "talosmq/admin.h"
#include "talosmq/client.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace talosmq::cli {

/// What one running command works with: the connection, the two outputs, time, files and Ctrl-C.
/// Standard output carries answers and nothing else, standard error everything that is said about
/// them, also that the connection was lost and is there again. Thread-compatible, but for Print()
/// and Note(), which are thread-safe. Owns the connection, which is made when it is first asked
/// for.
class Session {
 public:
  struct Options {
    std::string command;  ///< As typed, "topic describe"; begins what is said on standard error.
    ClientOptions client;
    OutputForm form = OutputForm::kTable;
  };
  struct Deps {
    io::FileSystem& file_system;
    const base::Clock& clock;
    const Interrupt& interrupt;
    io::OutputStream& out;
    io::OutputStream& err;
  };

  Session(Options options, Deps deps);

  OutputForm form() const { return options_.form; }
  const base::Clock& clock() const { return deps_.clock; }
  const Interrupt& interrupt() const { return deps_.interrupt; }
  io::FileSystem& file_system() { return deps_.file_system; }
  io::OutputStream& err() { return deps_.err; }
  /// True when people look at what is printed.
  bool IsOutputTerminal() const { return deps_.out.IsTerminal(); }

  /// Others can hear what is said to the server: it goes to another machine, and without TLS.
  bool IsOverheard() const;

  /// The one connection of this session, which owns it.
  absl::StatusOr<Client*> Connect();
  /// Must go before the session does.
  absl::StatusOr<std::unique_ptr<Admin>> ConnectAdmin();

  /// How the program ends when it is interrupted while it waits for the server. By default at
  /// once, saying so.
  void FollowWhenInterrupted(std::optional<ForcedEnd::Plan> plan);

  /// Writes to standard output, whole. Reason::kClosed when nobody reads it any more (`| head`),
  /// kCancelled when the program is about to end.
  absl::Status Print(std::string_view text);
  /// Prints the answer, or says why there is none.
  ExitStatus Finish(const absl::StatusOr<Document>& answer);
  /// Says on standard error what failed and what can be done about it; kFailed.
  ExitStatus Fail(const absl::Status& status);
  /// The same for flags that do not go together; kWrongUsage.
  ExitStatus FailUsage(std::string_view what);
  /// One line on standard error.
  void Note(std::string_view text);

 private:
  void OnConnection(const absl::Status& status);

  const Options options_;
  const Deps deps_;
  ForcedEnd forced_end_;
  /// Says what the client's own thread must not wait for.
  base::ThreadExecutor notes_{{.name = "cli-notes"}};
  std::unique_ptr<Client> client_;
};

}  // namespace talosmq::cli
