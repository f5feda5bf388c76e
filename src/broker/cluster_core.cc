#include "broker/cluster_core.h"

#include "base/log.h"
#include "base/text.h"
#include "broker/try_post.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

/// The topic that has a partition for the log; null when there is none.
std::shared_ptr<const metadata::TopicImage> OwnerOf(const TopicPartition& log,
                                                    const metadata::ClusterImage& image) {
  auto topic = image.FindTopic(log.topic_id);
  if (topic == nullptr) return nullptr;
  const auto partitions = static_cast<int64_t>(topic->partitions.size());
  return log.partition.value() < partitions ? std::move(topic) : nullptr;
}

/// Folders that no topic owns (G10: told, and deleted only by an operator's command).
std::vector<std::string> FindOrphans(const metadata::ClusterImage& image,
                                     const std::vector<TopicPartition>& folders) {
  std::vector<std::string> orphans;
  for (const TopicPartition& folder : folders) {
    if (OwnerOf(folder, image) == nullptr) orphans.push_back(folder.ToString());
  }
  return orphans;
}

/// "3 to 5, 8 to 8"; of many, the first ones and how many more there are.
std::string DescribeRanges(const std::vector<CorruptRange>& ranges) {
  const size_t told = std::min(ranges.size(), kRangesToldMax);
  std::string text;
  for (size_t i = 0; i < told; ++i) {
    text += base::StrCat(i == 0 ? "" : ", ", ranges[i].first.value(), " to ",
                         ranges[i].next.value() - 1);
  }
  if (told < ranges.size()) text += base::StrCat(" and ", ranges.size() - told, " more ranges");
  return text;
}

/// What operators have decided about damage, which is a problem no more.
void AddSkipped(const metadata::ClusterImage& image, std::vector<HealthProblem>& warnings) {
  for (const auto& [name, topic] : image.topics_by_name) {
    for (size_t i = 0; i < topic->partitions.size(); ++i) {
      const std::vector<CorruptRange>& skipped = topic->partitions[i].skipped;
      if (skipped.empty()) continue;
      warnings.push_back({.object = base::StrCat("partition ", name, "/", i),
                          .problem = base::StrCat(
                              "readers pass over its damaged offsets ", DescribeRanges(skipped),
                              ", as `talosmq partition skip-corrupt` has decided")});
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
  const io::DiskSpace space = dependencies_.log_store.space();
  info.disk_capacity_bytes = space.capacity_bytes;
  info.disk_free_bytes = space.free_bytes;
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

void ClusterCore::DeleteOrphan(const TopicPartition& log, base::Callback<absl::Status> done) {
  std::optional<base::Gate::Pass> pass = dependencies_.admin_gate.Enter();
  if (!pass.has_value()) return done(MakeError(Reason::kShuttingDown, "the broker is stopping"));
  const bool is_posted = TryPostWith(
      dependencies_.admin_executor, done,
      [this, log, pass = *std::move(pass)](base::Callback<absl::Status> answer) mutable {
        DeleteOrphanNow(log, std::move(pass), std::move(answer));
      });
  if (!is_posted) {
    done(MakeError(Reason::kOverloaded, "the broker's administration has too much to do"));
  }
}

void ClusterCore::DeleteOrphanNow(const TopicPartition& log, base::Gate::Pass pass,
                                  base::Callback<absl::Status> done) {
  const auto owner = OwnerOf(log, *dependencies_.images.current());
  if (owner != nullptr) {
    return done(MakeError(Reason::kInvalidArgument,
                          base::StrCat("log ", log.ToString(), " is no orphan: topic '",
                                       owner->name, "' owns it, and it goes with that only")));
  }
  const auto folders = dependencies_.log_store.ListFolders();
  if (!folders.ok()) return done(folders.status());
  const bool is_there = std::find(folders->begin(), folders->end(), log) != folders->end();
  // Also without a folder: an interrupted deletion leaves the entry in the catalogue.
  dependencies_.log_store.DeleteLog(log, [log, is_there, pass = std::move(pass),
                                          done = std::move(done)](absl::Status status) mutable {
    if (status.ok() && !is_there) {
      status = MakeError(Reason::kUnknownPartition,
                         base::StrCat("there is no log ", log.ToString(), " on the disk"));
    }
    if (status.ok()) {
      base::LogInfo("broker", "deleted orphan ", log.ToString(), " by an operator's command");
    }
    done(std::move(status));
  });
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
