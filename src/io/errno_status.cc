#include "io/errno_status.h"

#include "base/text.h"
#include "talosmq/error.h"

#include <cerrno>
#include <cstring>
#include <system_error>

namespace talosmq::io {
namespace {

std::string NameOf(int error) {
  const char* name = ::strerrorname_np(error);
  return name != nullptr ? std::string(name) : base::StrCat("errno ", error);
}

}  // namespace

absl::Status ErrnoStatus(int error, std::string_view path, std::string_view call) {
  const std::string message = base::StrCat(path, ": ", call, ": ", NameOf(error), " (",
                                           std::generic_category().message(error), ")");
  if (error == ENOENT) return absl::NotFoundError(message);
  if (error == EEXIST) return absl::AlreadyExistsError(message);
  if (error == EACCES) return absl::PermissionDeniedError(message);
  const bool is_full = error == ENOSPC || error == EDQUOT;
  return MakeError(is_full ? Reason::kStorageFull : Reason::kInternal, message);
}

}  // namespace talosmq::io
