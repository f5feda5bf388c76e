#pragma once

#include "talosmq/record.h"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq {

/// The header of a record that carries its trace context; other headers, `tracestate` among them,
/// are the application's. Brokers keep all headers as they were sent, in their order.
inline constexpr std::string_view kTraceparentKey = "traceparent";

/// Which span a record belongs to: a `traceparent` of W3C Trace Context, level 1.
///
///   00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
///   version  trace id                   parent id      flags
///
/// Invariant of one that Parse gave: neither id is all zeros. Ids are made by the application's
/// tracing library. Thread-compatible value.
struct TraceContext {
  static constexpr uint8_t kSampled = 0x01;

  std::array<uint8_t, 16> trace_id{};
  std::array<uint8_t, 8> parent_id{};
  uint8_t flags = 0;  ///< kSampled; the other bits have no meaning yet.

  /// Nothing unless `text` is valid: lower-case hex digits, no id of zeros, version ff refused. Of
  /// a later version the fields that this one knows are read, as the specification asks.
  static std::optional<TraceContext> Parse(std::string_view text);
  /// Version 00, with the flags that it knows.
  std::string ToString() const;

  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};

/// The trace context among the headers of a record; nothing when there is none, when it is not
/// valid, or when there are several, which the specification forbids to choose from.
std::optional<TraceContext> FindTraceContext(std::span<const Header> headers);

/// Headers of a record to be sent, in their order, with one traceparent behind them; any that stood
/// among them is left out.
///
///   const TracedHeaders traced(headers, context);
///   producer.Send({.value = value, .headers = traced.headers()}, tag);
///
/// Owns the text of the traceparent; the other headers are views as they were given, so what they
/// point to must outlive it. Thread-compatible.
class TracedHeaders {
 public:
  TracedHeaders(std::span<const Header> headers, const TraceContext& context);
  TracedHeaders(const TracedHeaders&) = delete;
  TracedHeaders& operator=(const TracedHeaders&) = delete;

  std::span<const Header> headers() const { return headers_; }

 private:
  const std::string traceparent_;
  std::vector<Header> headers_;
};

}  // namespace talosmq
