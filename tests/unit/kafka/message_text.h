#pragma once

#include "kafka/protocol/decoder.h"
#include "kafka/protocol/encoder.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>

namespace talosmq::kafka {

inline constexpr size_t kSizeBytes = 4;  ///< In front of a frame.

/// All bytes behind the size of the frame.
inline std::string Joined(Encoder&& encoder) {
  const auto frame = std::move(encoder).Take();
  EXPECT_TRUE(frame.ok()) << frame.status();
  if (!frame.ok()) return "";
  std::string all;
  for (const base::Buffer& piece : frame->pieces) all += piece.text();
  EXPECT_EQ(all.size(), frame->bytes);
  return all.substr(kSizeBytes);
}

template <typename Message>
std::string Encoded(int16_t version, const Message& message) {
  Encoder encoder;
  Encode(encoder, version, message);
  return Joined(std::move(encoder));
}

/// A request views the bytes.
template <typename Message>
absl::Status DecodeAll(std::string_view bytes, int16_t version, Message& message) {
  Decoder decoder(base::AsBytes(bytes));
  return Decode(decoder, version, message);
}

template <typename Message>
absl::Status DecodeAll(std::string&& bytes, int16_t version, Message& message) = delete;

}  // namespace talosmq::kafka
