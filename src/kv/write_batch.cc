#include "kv/store.h"

#include <utility>

namespace talosmq::kv {

void WriteBatch::Put(std::string key, std::string value) {
  operations_.push_back({.key = std::move(key), .value = std::move(value)});
}

void WriteBatch::Delete(std::string key) {
  operations_.push_back({.key = std::move(key), .value = std::nullopt});
}

}  // namespace talosmq::kv
