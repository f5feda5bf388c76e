#pragma once

#include "base/executor.h"
#include "metadata/metadata_store.h"

#include "absl/status/statusor.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace talosmq::broker {

/// A change of metadata that depends on what is there.
struct KeyChange {
  using Found = std::vector<std::optional<metadata::KeyValue>>;

  /// Read, and compared in the commit: nothing is changed on grounds that no longer hold.
  std::vector<std::string> keys;
  /// What to change, given the entries of `keys` in their order; nothing to do when empty. Called
  /// anew each time somebody else was faster. Its error ends the change.
  std::function<absl::StatusOr<std::vector<metadata::Operation>>(const Found& found)> decide;
};

/// Somebody else being faster this often in a row is an error of its own.
inline constexpr int kKeyChangeAttemptsMax = 10;

/// Reads, decides and commits by compare-and-set until it holds, and answers on `on` with the
/// revision that shows it; kNone when there was nothing to do. After kMetadataUnavailable the
/// change may have taken effect.
void ChangeKeys(metadata::MetadataStore& store, KeyChange change, base::Executor& on,
                base::Callback<absl::StatusOr<metadata::Revision>> done);

}  // namespace talosmq::broker
