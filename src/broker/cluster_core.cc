#include "broker/cluster_core.h"

#include "base/text.h"
#include "broker/try_post.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

/// Folders that no topic of the image has a partition for (G10: told, never deleted).
std::vector<std::string> FindOrphans(const metadata::ClusterImage& image,
                                     const std::vector<TopicPartition>& folders) {
  std::vector<std::string> orphans;
  for (const TopicPartition& folder : folders) {
    const std::shared_ptr<const metadata::TopicImage> topic = image.FindTopic(folder.topic_id);
    const int64_t partitions =
        topic == nullptr ? 0 : static_cast<int64_t>(topic->partitions.size());
    if (folder.partition.value() >= partitions) orphans.push_back(folder.ToString());
  }
  return orphans;
}

/// What operators have decided about damage, which is a problem no more.
void AddSkipped(const metadata::ClusterImage& image, std::vector<HealthProblem>& warnings) {
  for (const auto& [name, topic] : image.topics_by_name) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      for (const CorruptRange& range : topic->partitions[i].skipped) {
        warnings.push_back(
            {.object = base::StrCat("partition ", name, "/", i),
             .problem = base::StrCat("readers pass over its damaged offsets ", range.first.value(),
                                     " to ", range.next.value() - 1,
                                     ", as `talosmq partition skip-corrupt` has decided")});
      }
    }
  }
}

HealthReport OneProblem(std::string problem) {
  HealthReport report;
  report.problems.push_back({.object = "broker", .problem = std::move(problem)});
  return report;
}

}  // namespace

ServerInfo ClusterCore::GetServerInfo() const {
  ServerInfo info;
  info.version = dependencies_.options.version;
  info.cluster_id = dependencies_.images.current()->cluster_id;
  info.broker = dependencies_.options.id;
  info.data_directory = dependencies_.options.data_directory;
  info.metadata_store = dependencies_.options.metadata_store;
  info.uptime = dependencies_.clock.Monotonic() - started_;
  return info;
}

void ClusterCore::CheckHealth(base::Callback<HealthReport> done) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) return done(OneProblem("it is stopping"));
  const bool is_posted = TryPostWith(
      dependencies_.admin_executor, done,
      [this, pass = *std::move(pass)](base::Callback<HealthReport> answer) mutable {
        dependencies_.partitions.CollectProblems(
            [pass = std::move(pass), report = CheckDisk(),
             answer = std::move(answer)](std::vector<HealthProblem> problems) mutable {
              std::move(problems.begin(), problems.end(), std::back_inserter(report.problems));
              std::sort(report.problems.begin(), report.problems.end(),
                        [](const HealthProblem& a, const HealthProblem& b) {
                          return a.object < b.object;
                        });
              answer(std::move(report));
            });
      });
  if (!is_posted) done(OneProblem("its administration has too much to do"));
}

HealthReport ClusterCore::CheckDisk() const {
  HealthReport report;
  const auto add_problem = [&report](const char* object, const absl::Status& status) {
    if (status.ok()) return;
    report.problems.push_back({.object = object, .problem = std::string(status.message())});
  };
  add_problem("data directory", dependencies_.log_store.health());
  add_problem("metadata store", dependencies_.metadata_store.health());
  const absl::Status failure = dependencies_.log_store.last_failure();
  if (!failure.ok()) {
    report.warnings.push_back(
        {.object = "data directory",
         .problem = base::StrCat("a write or sync has failed since the start, the last one: ",
                                 base::FromAbsl(failure.message()))});
  }
  AddSkipped(*dependencies_.images.current(), report.warnings);
  const auto folders = dependencies_.log_store.ListFolders();
  add_problem("data directory", folders.status());
  if (!folders.ok()) return report;
  report.orphans = FindOrphans(*dependencies_.images.current(), *folders);
  return report;
}

}  // namespace talosmq::broker
