// Any bytes are a config file or are refused; what was taken renders to a page that is taken again.

#include "base/check.h"
#include "server/config.h"
#include "server/config_file.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace talosmq;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto entries = server::ParseConfigFile(text, "fuzz");
  if (!entries.ok()) return 0;
  const auto config = server::MakeConfig(*entries);
  if (!config.ok()) return 0;
  const auto again = server::ParseConfigFile(server::RenderConfigPage(*config), "page");
  TALOSMQ_CHECK(again.ok()) << again.status().ToString();
  TALOSMQ_CHECK(server::MakeConfig(*again).ok());
  return 0;
}
