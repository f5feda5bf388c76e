#include "kafka/protocol/api.h"

#include "base/check.h"
#include "kafka/protocol/apis.h"

#include <algorithm>
#include <iterator>

namespace talosmq::kafka {

const Api* FindApi(int16_t key) {
  const auto* const found = std::lower_bound(
      std::begin(kApis), std::end(kApis), key,
      [](const Api& api, int16_t wanted) { return static_cast<int16_t>(api.key) < wanted; });
  if (found == std::end(kApis) || static_cast<int16_t>(found->key) != key) return nullptr;
  return found;
}

const Api& ApiOf(ApiKey key) {
  const Api* const api = FindApi(static_cast<int16_t>(key));
  TALOSMQ_CHECK(api != nullptr) << "key " << static_cast<int16_t>(key);
  return *api;
}

}  // namespace talosmq::kafka
