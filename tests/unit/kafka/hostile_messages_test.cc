// Any bytes as any message: an error or a message, never a crash (G9). Run with sanitizers too.

#include "talosmq/error.h"

#include "unit/kafka/message_text.h"
#include "unit/kafka/random_message.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

namespace talosmq::kafka {
namespace {

template <typename Message>
std::string RandomBytes(uint32_t seed, int16_t version) {
  RandomFiller filler(seed, version);
  Message message;
  VisitFields(filler, version, message);
  return Encoded(version, message);
}

/// What was read can be written and is read the same again; its bytes may be others, since an
/// unknown tag goes and a varint can be longer than it has to be.
template <typename Message>
void ReadAny(std::string_view bytes, int16_t version) {
  Message message;
  const absl::Status status = DecodeAll(bytes, version, message);
  if (!status.ok()) {
    ASSERT_EQ(ReasonOf(status), Reason::kInvalidArgument) << status;
    return;
  }
  const std::string written = Encoded(version, message);
  Message again;
  ASSERT_TRUE(DecodeAll(written, version, again).ok());
  ASSERT_EQ(again, message);
}

TEST(HostileMessagesTest, EveryCutIsAnError) {
  ForEveryMessage([]<typename Message>(int16_t version) {
    for (uint32_t seed = 0; seed < 3; ++seed) {
      const std::string bytes = RandomBytes<Message>(seed, version);
      for (size_t size = 0; size < bytes.size(); ++size) {
        // A copy of its own, so that the address sanitizer sees a read beyond it.
        const std::string cut = bytes.substr(0, size);
        Message message;
        ASSERT_FALSE(DecodeAll(cut, version, message).ok())
            << ApiOf(Message::kKey).name << " " << version << ": " << size << " of "
            << bytes.size();
      }
    }
  });
}

TEST(HostileMessagesTest, BytesBehindTheEndAreAnError) {
  ForEveryMessage([]<typename Message>(int16_t version) {
    const std::string bytes = RandomBytes<Message>(7, version) + '\0';
    Message message;
    ASSERT_THAT(std::string(DecodeAll(bytes, version, message).message()),
                testing::HasSubstr("expected the end, found 1 more bytes"));
  });
}

TEST(HostileMessagesTest, AnyByteMayBeAnyOther) {
  std::mt19937 random(1);
  ForEveryMessage([&random]<typename Message>(int16_t version) {
    std::string bytes = RandomBytes<Message>(3, version);
    for (char& byte : bytes) {
      const char sound = byte;
      for (const char other : {'\0', '\xff', '\x7f', '\x80', static_cast<char>(random())}) {
        byte = other;
        ReadAny<Message>(bytes, version);
      }
      byte = sound;
    }
  });
}

TEST(HostileMessagesTest, AnyBytesMayBeAnyMessage) {
  std::mt19937 random(2);
  ForEveryMessage([&random]<typename Message>(int16_t version) {
    for (int i = 0; i < 50; ++i) {
      std::string bytes(random() % 64, '\0');
      // Small values get further: they are lengths that fit.
      const uint32_t largest = i % 2 == 0 ? 255 : 3;
      for (char& byte : bytes) byte = static_cast<char>(random() % (largest + 1));
      ReadAny<Message>(bytes, version);
    }
    ReadAny<Message>(std::string(64, '\xff'), version);
    ReadAny<Message>(std::string(64, '\0'), version);
  });
}

}  // namespace
}  // namespace talosmq::kafka
