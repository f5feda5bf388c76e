#include "base/descriptors.h"

#include "base/check.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

namespace talosmq::base {

int ConnectionDescriptorMax() {
  rlimit limit{};
  TALOSMQ_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0) << std::strerror(errno);
  const rlim_t files = std::max(limit.rlim_cur / kFilesShare, rlim_t{kFilesMin});
  return static_cast<int>(
      std::min<rlim_t>(limit.rlim_cur - std::min(files, limit.rlim_cur), INT32_MAX));
}

}  // namespace talosmq::base
