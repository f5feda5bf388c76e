#pragma once

#include "sink/format.h"

#include <string>
#include <string_view>

namespace talosmq::sink {

/// The value as it is and a newline; a record without a value gives an empty line. Lossy for values
/// that hold newlines themselves. Immutable.
class FormatRaw final : public Format {
 public:
  std::string_view extension() const override { return "raw"; }
  void Append(const SourceRecord& record, std::string& out) const override;
};

}  // namespace talosmq::sink
