#pragma once

#include "base/random.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::loadgen {

/// Values prepared before anything is measured: printable random text, each begins elsewhere in one
/// block, so that neither caches nor compressors find it easier than real data. Immutable.
class RecordValues {
 public:
  RecordValues(int64_t value_bytes, base::Random& random);

  std::string_view Get(int64_t record) const {
    const auto begin = static_cast<size_t>(record) % kStarts;
    return std::string_view(block_).substr(begin, value_bytes_);
  }

 private:
  static constexpr size_t kStarts = 4096;

  const size_t value_bytes_;
  std::string block_;
};

}  // namespace talosmq::loadgen
