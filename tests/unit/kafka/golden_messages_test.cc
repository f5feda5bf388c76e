// Every message in every version, against bytes that Apache Kafka's own library made:
// golden_messages.txt, whose head and MakeGolden.java say how. What a line holds is made here anew
// from our tables, so a field that is missing, misplaced, of another type or in other versions
// there makes both directions differ.

#include "kafka/protocol/apis.h"
#include "kafka/protocol/headers.h"
#include "support/kafka_messages.h"

#include "absl/strings/escaping.h"
#include "unit/kafka/message_text.h"
#include <gtest/gtest.h>

#include <cstdint>
#include <deque>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <vector>

namespace talosmq::kafka {
namespace {

struct Line {
  std::string api;
  std::string direction;
  int16_t version = 0;
  std::string form;
  std::string bytes;

  bool is_request() const { return direction == "request"; }
  std::string where() const {
    return api + " " + direction + " " + std::to_string(version) + " " + form;
  }
};

const std::vector<Line>& Lines() {
  static const std::vector<Line>* const all = [] {
    auto* const lines = new std::vector<Line>();
    std::ifstream file("tests/unit/kafka/golden_messages.txt");
    std::string text;
    while (std::getline(file, text)) {
      if (text.starts_with('#')) continue;
      std::istringstream words(text);
      Line line;
      std::string hex;
      words >> line.api >> line.direction >> line.version >> line.form >> hex;
      line.bytes = absl::HexStringToBytes(hex);
      lines->push_back(std::move(line));
    }
    return lines;
  }();
  return *all;
}

const Api& ApiNamed(std::string_view name) {
  for (const Api& api : kApis) {
    if (api.name == name) return api;
  }
  ADD_FAILURE() << "no API " << name;
  return kApis[0];
}

/// Fills a message as MakeGolden.java does.
class Filler {
 public:
  Filler(std::string_view form, int16_t version)
      : is_full_(form == "full" || form == "tags"), is_null_(form == "null"), version_(version) {}

  template <typename T>
  void Field(Presence presence, T& field) {
    if (presence == Presence::kTagged && !is_full_) return;
    Fill(presence, field);
  }

 private:
  template <typename T>
  void Fill(Presence presence, std::optional<T>& field) {
    field.emplace();
    Fill(presence, *field);
    if (presence == Presence::kOrNull && is_null_) field.reset();
  }
  template <typename T>
  void Fill(Presence presence, std::optional<std::vector<T>>& field) {
    field.reset();
    if (presence == Presence::kOrNull && !is_full_ && !is_null_) return;
    Fill(presence, field.emplace());
  }
  template <typename T>
  void Fill(Presence, std::vector<T>& field) {
    field.resize(is_full_ ? 2 : is_null_ ? 1 : 0);
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
    field = Records({base::Buffer::CopyOf(base::AsBytes(NextText()))});
  }

  template <std::signed_integral T>
  void FillValue(T& field) {
    constexpr uint64_t kPattern = 0x0102030405060700;
    const auto number = static_cast<uint64_t>(count_++);
    const uint64_t pattern = sizeof(T) == 1 ? 0 : kPattern >> (8 * (8 - sizeof(T)));
    field = is_full_ ? static_cast<T>((pattern & ~uint64_t{0xff}) + number) : T{-1};
  }
  void FillValue(bool& field) {
    ++count_;
    field = is_full_;
  }
  void FillValue(TopicId& field) {
    std::array<uint8_t, 16> bytes{};
    if (is_full_) bytes.fill(0xab);
    if (is_full_) bytes.back() = static_cast<uint8_t>(count_);
    ++count_;
    field = TopicId(bytes);
  }
  std::string_view NextText() {
    const int number = count_++;
    return texts_.emplace_back(is_full_ ? "t" + std::to_string(number) : "");
  }

  bool is_full_;
  bool is_null_;
  int16_t version_;
  int count_ = 0;
  std::deque<std::string> texts_;  ///< What a request views.
};

template <typename Message>
void Compare(const Line& line) {
  Filler filler(line.form, line.version);
  Message expected;
  VisitFields(filler, line.version, expected);
  Message decoded;
  const absl::Status status = DecodeAll(line.bytes, line.version, decoded);
  EXPECT_TRUE(status.ok()) << line.where() << ": " << status;
  EXPECT_EQ(decoded, expected) << line.where();
  if (line.form == "tags") return;  // What nobody knows is not written again.
  EXPECT_EQ(absl::BytesToHexString(Encoded(line.version, expected)),
            absl::BytesToHexString(line.bytes))
      << line.where();
}

TEST(GoldenMessagesTest, EveryMessageIsReadAndWrittenAsKafkaDoes) {
  ASSERT_FALSE(Lines().empty());
  for (const Line& line : Lines()) {
    if (line.form == "header") continue;
    VisitApi(ApiNamed(line.api).key, [&line]<typename Request, typename Response>() {
      line.is_request() ? Compare<Request>(line) : Compare<Response>(line);
    });
  }
}

TEST(GoldenMessagesTest, EveryHeaderIsReadAndWrittenAsKafkaDoes) {
  constexpr int32_t kCorrelation = 0x01020304;
  for (const Line& line : Lines()) {
    if (line.form != "header") continue;
    const Api& api = ApiNamed(line.api);
    Decoder decoder(base::AsBytes(line.bytes));
    Encoder encoder;
    if (line.is_request()) {
      const RequestHeader expected = {.api_key = static_cast<int16_t>(api.key),
                                      .version = line.version,
                                      .correlation_id = kCorrelation,
                                      .client_id = "t0"};
      RequestHeader header;
      EXPECT_TRUE(Decode(decoder, header).ok()) << line.where();
      EXPECT_EQ(header, expected) << line.where();
      Encode(encoder, expected);
    } else {
      const auto correlation = DecodeResponseHeader(decoder, api, line.version);
      ASSERT_TRUE(correlation.ok()) << line.where() << correlation.status();
      EXPECT_EQ(*correlation, kCorrelation) << line.where();
      EncodeResponseHeader(encoder, api, line.version, kCorrelation);
    }
    EXPECT_EQ(decoder.position(), line.bytes.size()) << line.where();
    EXPECT_EQ(absl::BytesToHexString(Joined(std::move(encoder))),
              absl::BytesToHexString(line.bytes))
        << line.where();
  }
}

TEST(GoldenMessagesTest, NoVersionIsMissing) {
  std::set<std::tuple<std::string, std::string, int16_t, std::string>> there;
  for (const Line& line : Lines()) {
    there.emplace(line.api, line.direction, line.version, line.form);
  }
  for (const Api& api : kApis) {
    for (int16_t version = api.version_min; version <= api.version_max; ++version) {
      for (const char* const direction : {"request", "response"}) {
        for (const char* const form : {"header", "full", "null", "empty", "tags"}) {
          if (std::string_view(form) == "tags" && !api.is_flexible(version)) continue;
          EXPECT_TRUE(there.contains({std::string(api.name), direction, version, form}))
              << api.name << " " << direction << " " << version << " " << form;
        }
      }
    }
  }
}

}  // namespace
}  // namespace talosmq::kafka
