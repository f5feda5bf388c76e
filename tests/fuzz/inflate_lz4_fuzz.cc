#include "fuzz/inflate_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  talosmq::record::CheckInflate(talosmq::record::Codec::kLz4, data, size);
  return 0;
}
