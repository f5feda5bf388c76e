#include "broker/corrupt_ranges.h"

#include "base/text.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

namespace talosmq::broker {
namespace {

bool Holds(const CorruptRange& outer, const CorruptRange& inner) {
  return outer.first <= inner.first && inner.next <= outer.next;
}

}  // namespace

void CorruptRanges::Note(const absl::Status& damage) {
  const std::optional<CorruptRange> range = CorruptRangeOf(damage);
  if (!range.has_value()) return;
  const auto overlaps = [&range](const Known& known) {
    return known.range.first < range->next && range->first < known.range.next;
  };
  Known noted{.range = *range, .what = std::string(base::FromAbsl(damage.message()))};
  for (const Known& known : known_) {
    if (!overlaps(known) || Holds(*range, known.range)) continue;
    if (Holds(known.range, *range)) return;
    if (known.range.first < noted.range.first) noted.what = known.what;
    noted.range.first = std::min(noted.range.first, known.range.first);
    noted.range.next = std::max(noted.range.next, known.range.next);
  }
  std::erase_if(known_, overlaps);
  if (known_.size() == kRangesMax) return;
  const auto behind = std::find_if(known_.begin(), known_.end(), [&noted](const Known& known) {
    return known.range.first > noted.range.first;
  });
  known_.insert(behind, std::move(noted));
}

const CorruptRanges::Known* CorruptRanges::LastBelow(Offset offset) const {
  const auto behind = std::find_if(known_.begin(), known_.end(), [offset](const Known& known) {
    return known.range.first >= offset;
  });
  return behind == known_.begin() ? nullptr : &*std::prev(behind);
}

std::vector<CorruptRanges::Known> CorruptRanges::Open(Offset log_start,
                                                      std::span<const CorruptRange> skipped) const {
  std::vector<Known> open;
  std::copy_if(known_.begin(), known_.end(), std::back_inserter(open), [&](const Known& known) {
    const bool is_skipped =
        std::any_of(skipped.begin(), skipped.end(),
                    [&known](const CorruptRange& range) { return Holds(range, known.range); });
    return known.range.next > log_start && !is_skipped;
  });
  return open;
}

void AddSkipped(std::vector<CorruptRange>& skipped, CorruptRange range) {
  std::erase_if(skipped, [&range](const CorruptRange& other) {
    if (other.next < range.first || range.next < other.first) return false;
    range.first = std::min(range.first, other.first);
    range.next = std::max(range.next, other.next);
    return true;
  });
  const auto behind =
      std::find_if(skipped.begin(), skipped.end(),
                   [&range](const CorruptRange& other) { return other.first > range.first; });
  skipped.insert(behind, range);
}

Offset PassSkipped(std::span<const CorruptRange> skipped, Offset offset) {
  const auto range = std::find_if(
      skipped.begin(), skipped.end(),
      [offset](const CorruptRange& other) { return other.first <= offset && offset < other.next; });
  return range == skipped.end() ? offset : range->next;
}

}  // namespace talosmq::broker
