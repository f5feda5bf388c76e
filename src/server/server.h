#pragma once

#include "base/clock.h"
#include "base/random.h"
#include "io/file_system.h"
#include "server/config.h"
#include "server/data_directory.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <memory>
#include <string>

namespace talosmq::server {

/// "0.1.0".
std::string Version();

/// A single node with everything in it, put together from its configuration: the one place that
/// names the concrete classes of all layers.
///
/// Confined to the main thread, which blocks in Start and Stop. Owns every part and every thread;
/// borrows what is in Dependencies.
/// Crash: what each part says. A start after one recovers logs as they are opened.
class Server {
 public:
  struct Dependencies {
    io::FileSystem& file_system;
    base::Clock& clock;
    base::Random& random;  ///< Thread-safe.
  };

  /// Serves when it returns. On an error all that had been started is stopped again.
  static absl::StatusOr<std::unique_ptr<Server>> Start(ServerConfig config,
                                                       Dependencies dependencies);
  virtual ~Server() = default;

  virtual const ListenerPorts& ports() const = 0;

  /// Refuses new work, lets what is under way end, makes everything durable, closes, and marks the
  /// stop as clean if all of that went well. Once; before the destructor.
  virtual absl::Status Stop() = 0;
};

}  // namespace talosmq::server
