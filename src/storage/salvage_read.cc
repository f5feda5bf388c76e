#include "storage/salvage_read.h"

#include <algorithm>

namespace talosmq::storage {
namespace {

void Note(const UnreadableBytes& bytes, std::vector<UnreadableBytes>& all) {
  if (!all.empty() && all.back().end == bytes.begin) {
    all.back().end = bytes.end;
  } else {
    all.push_back(bytes);
  }
}

}  // namespace

const UnreadableBytes* SalvagedBytes::FindIn(uint64_t begin, uint64_t end) const {
  const auto found = std::ranges::find_if(unreadable, [&](const UnreadableBytes& bytes) {
    return bytes.begin < end && begin < bytes.end;
  });
  return found == unreadable.end() ? nullptr : &*found;
}

SalvagedBytes SalvageRead(const io::File& file, uint64_t position, base::MutableByteSpan into) {
  SalvagedBytes salvaged;
  const auto whole = file.Read(position, into);
  if (whole.ok()) {
    salvaged.size = *whole;
    return salvaged;
  }
  while (salvaged.size < into.size()) {
    const uint64_t begin = position + salvaged.size;
    const uint64_t block_end = (begin / kSalvageBlockBytes + 1) * kSalvageBlockBytes;
    const base::MutableByteSpan rest = into.subspan(salvaged.size);
    const auto block = rest.first(std::min<size_t>(rest.size(), block_end - begin));
    const auto read = file.Read(begin, block);
    if (!read.ok()) {
      std::ranges::fill(block, std::byte{});
      Note({.begin = begin,
            .end = begin + block.size(),
            .error = std::string(read.status().message())},
           salvaged.unreadable);
    }
    const size_t size = read.value_or(block.size());
    salvaged.size += size;
    if (size < block.size()) break;
  }
  return salvaged;
}

}  // namespace talosmq::storage
