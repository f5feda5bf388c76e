#pragma once

#include "sink/format.h"

#include <string>
#include <string_view>

namespace talosmq::sink {

/// One JSON object a line, the envelope of docs/formats/dump.md: what lies in the log and nothing
/// guessed about it. Bytes that are no UTF-8 go as base64 into a field of their own name.
/// Immutable.
class FormatJson final : public Format {
 public:
  std::string_view extension() const override { return "json"; }
  void Append(const SourceRecord& record, std::string& out) const override;
};

}  // namespace talosmq::sink
