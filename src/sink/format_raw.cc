#include "sink/format_raw.h"

namespace talosmq::sink {

void FormatRaw::Append(const SourceRecord& source, std::string& out) const {
  out.append(source.record.value.value_or(std::string_view()));
  out.push_back('\n');
}

}  // namespace talosmq::sink
