#pragma once

#include "base/bytes.h"
#include "io/file_system.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace talosmq::storage {

/// Bytes [begin, end) of a file that the disk did not give.
struct UnreadableBytes {
  uint64_t begin = 0;
  uint64_t end = 0;
  std::string error;
};

/// What a read has brought. Positions are those of the file.
struct SalvagedBytes {
  size_t size = 0;                          ///< Fewer than asked for only at the end of the file.
  std::vector<UnreadableBytes> unreadable;  ///< Ascending; zeros stand in their place.

  /// The first ones that touch [begin, end); null when all of these were read.
  const UnreadableBytes* FindIn(uint64_t begin, uint64_t end) const;
};

/// Reads around sectors that cannot be read: when a read fails, each block of kSalvageBlockBytes is
/// read by itself. A failed read of a segment is damage, as a flipped bit is, and no error.
SalvagedBytes SalvageRead(const io::File& file, uint64_t position, base::MutableByteSpan into);

inline constexpr uint64_t kSalvageBlockBytes = 4096;

}  // namespace talosmq::storage
