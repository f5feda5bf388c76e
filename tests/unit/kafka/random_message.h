#pragma once

#include "base/bytes.h"
#include "kafka/protocol/records.h"
#include "support/kafka_messages.h"
#include "talosmq/ids.h"

#include <array>
#include <concepts>
#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace talosmq::kafka {

/// Fills any message with random values; the same seed gives the same. Texts of requests live as
/// long as this.
class RandomFiller {
 public:
  RandomFiller(uint32_t seed, int16_t version) : random_(seed), version_(version) {}

  template <typename T>
  void Field(Presence presence, T& field) {
    if (presence == Presence::kTagged && OneIn(2)) return;
    Fill(presence, field);
  }

 private:
  template <typename T>
  void Fill(Presence presence, std::optional<T>& field) {
    field.reset();
    if (presence != Presence::kAlways && OneIn(3)) return;
    Fill(Presence::kAlways, field.emplace());
  }
  template <typename T>
  void Fill(Presence, std::vector<T>& field) {
    field.resize(random_() % 4);
    for (T& item : field) Fill(Presence::kAlways, item);
  }
  template <typename T>
  void Fill(Presence, T& field) {
    if constexpr (std::is_class_v<T> && !std::is_same_v<T, TopicId>) {
      VisitFields(*this, version_, field);
    } else {
      FillValue(field);
    }
  }
  void Fill(Presence, std::string& field) { field = NextText(); }
  void Fill(Presence, std::string_view& field) { field = NextText(); }
  void Fill(Presence, Records& field) {
    std::vector<base::Buffer> chunks(random_() % 4);
    for (base::Buffer& chunk : chunks) chunk = base::Buffer::CopyOf(base::AsBytes(NextText()));
    field = Records(std::move(chunks));
  }

  template <std::signed_integral T>
  void FillValue(T& field) {
    field = static_cast<T>(uint64_t{random_()} << 32 | random_());
  }
  void FillValue(bool& field) { field = OneIn(2); }
  void FillValue(TopicId& field) {
    std::array<uint8_t, 16> bytes;
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    field = TopicId(bytes);
  }
  /// Some longer than a compact length says in one byte.
  std::string_view NextText() {
    std::string text(OneIn(10) ? 100 + random_() % 300 : random_() % 20, '\0');
    for (char& c : text) c = static_cast<char>(random_());
    return texts_.emplace_back(std::move(text));
  }
  bool OneIn(uint32_t n) { return random_() % n == 0; }

  std::mt19937 random_;
  int16_t version_;
  std::deque<std::string> texts_;
};

/// Calls `visit.operator()<Message>(version)` for every version of every request and response.
template <typename Visit>
void ForEveryMessage(const Visit& visit) {
  for (const Api& api : kApis) {
    for (int16_t version = api.version_min; version <= api.version_max; ++version) {
      VisitApi(api.key, [&]<typename Request, typename Response>() {
        visit.template operator()<Request>(version);
        visit.template operator()<Response>(version);
      });
    }
  }
}

}  // namespace talosmq::kafka
