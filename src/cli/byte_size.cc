#include "cli/byte_size.h"

#include "base/status.h"
#include "base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace talosmq::cli {
namespace {

struct Unit {
  std::string_view name;
  int64_t bytes;
};

constexpr std::array<Unit, 8> kUnits = {{{"", 1},
                                         {"B", 1},
                                         {"KB", 1'000},
                                         {"KiB", int64_t{1} << 10},
                                         {"MB", 1'000'000},
                                         {"MiB", int64_t{1} << 20},
                                         {"GB", 1'000'000'000},
                                         {"GiB", int64_t{1} << 30}}};

absl::Status NotASize(std::string_view text, std::string_view why) {
  return MakeError(Reason::kInvalidArgument,
                   base::StrCat("'", text, "' is not a size: ", why,
                                "; write a whole number with B, KB (1000), KiB (1024), MB, MiB, GB "
                                "or GiB, as in 64KiB"));
}

}  // namespace

absl::StatusOr<int64_t> ParseByteSize(std::string_view text) {
  int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error == std::errc::result_out_of_range) return NotASize(text, "too large");
  if (error != std::errc() || text.front() == '-') return NotASize(text, "no number in front");
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  const auto* const unit =
      std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) { return u.name == name; });
  if (unit == kUnits.end()) return NotASize(text, base::StrCat("unknown unit '", name, "'"));
  if (number > std::numeric_limits<int64_t>::max() / unit->bytes) {
    return NotASize(text, "too large");
  }
  return number * unit->bytes;
}

}  // namespace talosmq::cli
