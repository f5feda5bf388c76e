#include "kafka/protocol/records.h"

#include <string>

namespace talosmq::kafka {
namespace {

std::string Joined(const Records& records) {
  std::string all;
  for (const base::Buffer& chunk : records.chunks()) all += chunk.text();
  return all;
}

}  // namespace

size_t Records::bytes() const {
  size_t sum = 0;
  for (const base::Buffer& chunk : chunks_) sum += chunk.size();
  return sum;
}

bool operator==(const Records& a, const Records& b) { return Joined(a) == Joined(b); }

}  // namespace talosmq::kafka
