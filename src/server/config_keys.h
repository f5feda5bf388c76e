#pragma once

#include "server/config.h"

#include "absl/status/status.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace talosmq::server {

/// One setting: its name, what the config page says about it, and how it is read and written.
struct ConfigKey {
  std::string name;
  std::string meaning;  ///< Sentences.
  std::string bound;    ///< "bytes, 1048576 to 68719476736"; what SetValue expects.
  std::function<absl::Status(std::string_view value, ServerConfig& config)> set;
  std::function<std::string(const ServerConfig& config)> print;
};

/// All keys in the order of the config page.
const std::vector<ConfigKey>& ConfigKeys();

}  // namespace talosmq::server
