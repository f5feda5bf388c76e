#pragma once

#include "base/bytes.h"

#include "absl/strings/str_cat.h"

#include <string>
#include <string_view>
#include <type_traits>

namespace talosmq::base {

template <typename Piece>
const auto& AsPiece(const Piece& piece) {
  return piece;
}
inline absl::string_view AsPiece(const std::string_view& piece) { return ToAbsl(piece); }

/// absl::StrCat that also takes std::string_view. For messages, not for hot paths.
template <typename... Pieces>
std::string StrCat(const Pieces&... pieces) {
  return absl::StrCat(AsPiece(pieces)...);
}

/// Bytes as people can read them: printable ASCII as it is, the rest as \xNN, cut at `length_max`.
std::string Printable(std::string_view bytes, size_t length_max);

}  // namespace talosmq::base
