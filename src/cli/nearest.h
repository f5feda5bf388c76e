#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::cli {

/// The candidate that `word` was probably meant to be: the one at the smallest edit distance, if
/// that is at most a third of the word (but 1 at least); the first of several.
std::optional<std::string> Nearest(std::string_view word,
                                   const std::vector<std::string>& candidates);

}  // namespace talosmq::cli
