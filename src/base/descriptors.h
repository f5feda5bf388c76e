#pragma once

namespace talosmq::base {

/// Of the descriptors that the process may open (RLIMIT_NOFILE) one in so many, and at least so
/// many in all, are kept for files.
inline constexpr unsigned kFilesShare = 4;
inline constexpr unsigned kFilesMin = 64;

/// Connections may have the descriptors below this one. Thread-safe.
int ConnectionDescriptorMax();

}  // namespace talosmq::base
