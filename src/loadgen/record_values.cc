#include "loadgen/record_values.h"

namespace talosmq::loadgen {

RecordValues::RecordValues(int64_t value_bytes, base::Random& random)
    : value_bytes_(static_cast<size_t>(value_bytes)), block_(kStarts + value_bytes_, ' ') {
  constexpr std::string_view kLetters =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  static_assert(kLetters.size() == 64);
  for (char& letter : block_) letter = kLetters[random.Next() % kLetters.size()];
}

}  // namespace talosmq::loadgen
