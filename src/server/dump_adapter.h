#pragma once

#include "base/clock.h"
#include "base/executor.h"
#include "base/metrics.h"
#include "broker/dump_control.h"
#include "broker/messages.h"
#include "broker/topics.h"
#include "io/file_system.h"
#include "metadata/metadata_store.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::server {

/// Runs the dump jobs of src/sink inside this server and gives them to the fronts: translates
/// between the broker's words and the sink's, and lets the jobs read through the broker as any
/// other reader does.
///
/// Owns the executor "sink", on which all jobs run and do their file I/O; nothing else runs there.
/// Thread-safe, but for Start and Stop, which one thread calls. Everything in Dependencies outlives
/// it. Stop it before the broker's services: what is open is left unpublished and is dumped again
/// after the next start, so a crash costs the same.
class DumpAdapter final : public broker::DumpControl {
 public:
  struct Dependencies {
    broker::MessageService& messages;
    broker::TopicService& topics;
    metadata::MetadataStore& store;
    io::FileSystem& file_system;
    const base::Clock& clock;
    base::MetricRegistry& metrics;
  };

  explicit DumpAdapter(const Dependencies& dependencies);
  DumpAdapter(const DumpAdapter&) = delete;
  DumpAdapter& operator=(const DumpAdapter&) = delete;
  /// Stops.
  ~DumpAdapter() override;

  /// Loads the jobs and continues those that ran; `ready` runs on the sink's executor.
  void Start(base::Callback<absl::Status> ready);
  /// Answers what waits, and what is asked later, with kShuttingDown and joins the executor.
  /// Idempotent; not from a callback.
  void Stop();

  void Create(broker::DumpDefinition definition, absl::Duration deadline,
              base::Callback<absl::Status> done) override;
  void List(base::Callback<absl::StatusOr<std::vector<broker::DumpDescription>>> done) override;
  void Describe(std::string name,
                base::Callback<absl::StatusOr<broker::DumpDescription>> done) override;
  void Pause(std::string name, absl::Duration deadline, base::Callback<absl::Status> done) override;
  void Resume(std::string name, absl::Duration deadline,
              base::Callback<absl::Status> done) override;
  void Delete(std::string name, absl::Duration deadline,
              base::Callback<absl::Status> done) override;

 private:
  template <typename Run>
  void RunChange(std::string_view what, absl::Duration deadline, base::Callback<absl::Status> done,
                 Run run);

  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace talosmq::server
