#include "sink/format.h"

#include "base/check.h"
#include "sink/format_json.h"
#include "sink/format_raw.h"

namespace talosmq::sink {

std::unique_ptr<Format> MakeFormat(FormatKind kind) {
  switch (kind) {
    case FormatKind::kJson:
      return std::make_unique<FormatJson>();
    case FormatKind::kRaw:
      return std::make_unique<FormatRaw>();
  }
  TALOSMQ_CHECK(false) << "format " << static_cast<int>(kind);
  return nullptr;
}

}  // namespace talosmq::sink
