#pragma once

#include "metadata/cluster_image.h"
#include "metadata/metadata_store.h"
#include "metadata/records.h"

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace talosmq::metadata {

/// Turns the keys of the metadata store into cluster images.
///
/// Invariant: a topic that no change has touched since the last Build() is shared with that image.
/// Thread-compatible. A value.
class ImageBuilder {
 public:
  /// Takes one change in; keys outside of the schema are left out.
  void Apply(const WatchEvent::Change& change);

  /// The image of everything taken in so far. kCorruptData or kUnsupportedVersion, naming the key,
  /// for a value that cannot be read; what is damaged stays to be told again.
  absl::StatusOr<std::shared_ptr<const ClusterImage>> Build(Revision revision);

 private:
  absl::Status BuildTopics(ClusterImage& image);
  /// The last image's, unless it has changed.
  absl::StatusOr<std::shared_ptr<const TopicImage>> TakeTopic(const TopicId& id) const;
  absl::StatusOr<std::shared_ptr<const TopicImage>> BuildTopic(const TopicId& id) const;
  absl::Status BuildBrokers(ClusterImage& image) const;
  absl::Status BuildDeletions(ClusterImage& image) const;
  absl::Status BuildUsers(ClusterImage& image) const;
  /// The stored entries whose key begins with `prefix`.
  std::vector<const KeyValue*> Entries(std::string_view prefix) const;

  std::map<std::string, KeyValue, std::less<>> entries_;
  std::set<TopicId> changed_;
  std::shared_ptr<const ClusterImage> last_ = std::make_shared<ClusterImage>();
};

}  // namespace talosmq::metadata
