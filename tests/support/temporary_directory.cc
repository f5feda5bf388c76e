#include "support/temporary_directory.h"

#include "base/check.h"

#include <stdlib.h>

#include <system_error>

namespace talosmq::support {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "talosmq-test-XXXXXX").string();
  TALOSMQ_CHECK(mkdtemp(name.data()) != nullptr) << name;
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;  // What cannot be removed is in /tmp.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace talosmq::support
