#include "talosmq/trace_context.h"

#include <algorithm>
#include <cstddef>

namespace talosmq {
namespace {

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr size_t kVersionAt = 0;
constexpr size_t kTraceIdAt = 3;
constexpr size_t kParentIdAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kTextSize = 55;

/// Reads two digits for each byte of `to`; false for anything but lower-case hex.
bool ReadHex(std::string_view digits, std::span<uint8_t> to) {
  for (size_t i = 0; i < to.size(); ++i) {
    const size_t high = kDigits.find(digits[2 * i]);
    const size_t low = kDigits.find(digits[2 * i + 1]);
    if (high == std::string_view::npos || low == std::string_view::npos) return false;
    to[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return true;
}

void WriteHex(std::span<const uint8_t> bytes, std::string& text) {
  for (const uint8_t byte : bytes) {
    text += kDigits[size_t{byte} >> 4];
    text += kDigits[size_t{byte} & 0xf];
  }
}

bool IsZero(std::span<const uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](uint8_t byte) { return byte == 0; });
}

}  // namespace

std::optional<TraceContext> TraceContext::Parse(std::string_view text) {
  if (text.size() < kTextSize) return std::nullopt;
  uint8_t version = 0;
  TraceContext context;
  const bool has_digits = ReadHex(text.substr(kVersionAt), std::span(&version, 1)) &&
                          ReadHex(text.substr(kTraceIdAt), context.trace_id) &&
                          ReadHex(text.substr(kParentIdAt), context.parent_id) &&
                          ReadHex(text.substr(kFlagsAt), std::span(&context.flags, 1));
  const bool has_dashes =
      text[kTraceIdAt - 1] == '-' && text[kParentIdAt - 1] == '-' && text[kFlagsAt - 1] == '-';
  // Only a later version may go on, and only with another field.
  const bool has_end = text.size() == kTextSize || (version > 0 && text[kTextSize] == '-');
  if (!has_digits || !has_dashes || !has_end || version == 0xff) return std::nullopt;
  if (IsZero(context.trace_id) || IsZero(context.parent_id)) return std::nullopt;
  return context;
}

std::string TraceContext::ToString() const {
  const uint8_t known_flags = flags & kSampled;
  std::string text = "00-";
  text.reserve(kTextSize);
  WriteHex(trace_id, text);
  text += '-';
  WriteHex(parent_id, text);
  text += '-';
  WriteHex(std::span(&known_flags, 1), text);
  return text;
}

std::optional<TraceContext> FindTraceContext(std::span<const Header> headers) {
  const auto is_traceparent = [](const Header& header) { return header.key == kTraceparentKey; };
  const auto found = std::find_if(headers.begin(), headers.end(), is_traceparent);
  if (found == headers.end() || !found->value.has_value()) return std::nullopt;
  if (std::find_if(found + 1, headers.end(), is_traceparent) != headers.end()) return std::nullopt;
  return TraceContext::Parse(*found->value);
}

TracedHeaders::TracedHeaders(std::span<const Header> headers, const TraceContext& context)
    : traceparent_(context.ToString()) {
  headers_.reserve(headers.size() + 1);
  for (const Header& header : headers) {
    if (header.key != kTraceparentKey) headers_.push_back(header);
  }
  headers_.push_back({.key = kTraceparentKey, .value = traceparent_});
}

}  // namespace talosmq
