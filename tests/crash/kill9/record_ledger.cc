#include "kill9/record_ledger.h"

#include <charconv>
#include <random>
#include <utility>

namespace talosmq::kill9 {
namespace {

constexpr size_t kValueBytesMin = 100;
constexpr size_t kValueBytesMax = 1500;

}  // namespace

RecordLedger::RecordLedger(int64_t records, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_int_distribution<size_t> size(kValueBytesMin, kValueBytesMax);
  std::uniform_int_distribution<int> letter('a', 'z');
  for (int64_t i = 0; i < records; ++i) {
    std::string value = std::to_string(i) + " ";
    value.resize(size(random), static_cast<char>(letter(random)));
    values_.push_back(std::move(value));
  }
}

void RecordLedger::Take(std::span<const Delivery> batch) {
  const base::MutexLock lock(mutex_);
  for (const Delivery& delivery : batch) {
    if (delivery.status.ok()) {
      ++answers_.acknowledged;
      answers_.by_place[{delivery.partition, delivery.offset}] = static_cast<int64_t>(delivery.tag);
    } else if (answers_.failed++ == 0) {
      answers_.first_failure = delivery.status.ToString();
    }
  }
  answered_.SignalAll();
}

void RecordLedger::WaitForAnswers(int64_t count) {
  const base::MutexLock lock(mutex_);
  while (answers_.acknowledged + answers_.failed < count) answered_.Wait(mutex_);
}

RecordLedger::Answers RecordLedger::answers() const {
  const base::MutexLock lock(mutex_);
  return answers_;
}

std::optional<int64_t> RecordNumberOf(std::string_view value) {
  int64_t number = 0;
  const char* const end = value.data() + value.size();
  const auto [rest, error] = std::from_chars(value.data(), end, number);
  if (error != std::errc() || rest == end || *rest != ' ') return std::nullopt;
  return number;
}

}  // namespace talosmq::kill9
