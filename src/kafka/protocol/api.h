#pragma once

#include <cstdint>
#include <limits>
#include <string_view>

namespace talosmq::kafka {

/// What a request asks for; all keys are in apis.h, which is generated from messages/*.msg.
enum class ApiKey : int16_t;

inline constexpr int16_t kNeverFlexible = std::numeric_limits<int16_t>::max();

/// One API and the versions [version_min, version_max] of it that the codec knows.
struct Api {
  ApiKey key;
  std::string_view name;
  int16_t version_min;
  int16_t version_max;
  int16_t flexible_min;  ///< First version with compact encoding and tags, or kNeverFlexible.

  constexpr bool has_version(int16_t version) const {
    return version_min <= version && version <= version_max;
  }
  constexpr bool is_flexible(int16_t version) const { return version >= flexible_min; }
};

/// The API of that key; nullptr for one that the codec does not know.
const Api* FindApi(int16_t key);
/// The same for a key that there is.
const Api& ApiOf(ApiKey key);

}  // namespace talosmq::kafka
