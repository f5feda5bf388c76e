#include "storage/run_verifier.h"

#include "base/text.h"

#include "absl/strings/str_format.h"

namespace talosmq::storage {
namespace {

Mismatch Disagreement(std::string expected, std::string found) {
  return {.position = 0, .expected = std::move(expected), .found = std::move(found)};
}

std::string Hex(uint32_t value) { return absl::StrFormat("%08x", value); }

}  // namespace

std::optional<Mismatch> VerifyRun(base::ByteSpan bytes, const ExpectedRun& run,
                                  size_t position_base, std::vector<VerifiedBatch>& batches) {
  const IndexEntry& entry = run.entry;
  BatchChain chain(entry.first_offset, run.history, run.density);
  RunCheck check(run.log);
  std::vector<VerifiedBatch> found;
  size_t position = 0;
  while (position < bytes.size()) {
    const base::ByteSpan rest = bytes.subspan(position);
    record::BatchHeader header;
    auto mismatch = ParseWholeBatch(rest, header);
    if (!mismatch) mismatch = chain.Accept(header, rest.first(header.size()));
    if (mismatch) {
      mismatch->position += position;
      return mismatch;
    }
    check.Add(rest);
    found.push_back({.header = header, .position = position_base + position});
    position += header.size();
  }
  if (chain.next() != entry.end_offset) {
    return Disagreement(
        base::StrCat("a run up to offset ", entry.end_offset.value(), " by the index"),
        base::StrCat("one up to ", chain.next().value()));
  }
  if (check.value() != entry.check) {
    return Disagreement(base::StrCat("a run with check ", Hex(entry.check), " by the index"),
                        Hex(check.value()));
  }
  batches.insert(batches.end(), found.begin(), found.end());
  return std::nullopt;
}

}  // namespace talosmq::storage
