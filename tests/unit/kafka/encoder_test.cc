#include "kafka/protocol/encoder.h"

#include "kafka/protocol/apis.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/headers.h"
#include "kafka/protocol/metadata.h"
#include "talosmq/error.h"

#include "unit/kafka/message_text.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

using testing::HasSubstr;

base::Buffer Batch(size_t bytes, char fill) {
  return base::Buffer::CopyOf(base::AsBytes(std::string(bytes, fill)));
}

FetchResponse::Topic::Partition PartitionWith(std::vector<base::Buffer> chunks) {
  FetchResponse::Topic::Partition partition;
  partition.records = Records(std::move(chunks));
  return partition;
}

TEST(EncoderTest, RecordsAreSentFromWhereTheyAre) {
  const base::Buffer first = Batch(3000, 'a');
  const base::Buffer second = Batch(10, 'b');
  const base::Buffer third = Batch(700, 'c');
  FetchResponse response;
  response.topics.emplace_back();
  response.topics[0].name = "t";
  response.topics[0].partitions = {PartitionWith({first, second}), PartitionWith({}),
                                   PartitionWith({third, base::Buffer()})};
  for (const int16_t version : {int16_t{4}, int16_t{12}}) {
    Encoder encoder;
    EncodeResponseHeader(encoder, ApiOf(ApiKey::kFetch), version, 77);
    Encode(encoder, version, response);
    const auto frame = std::move(encoder).Take();
    ASSERT_TRUE(frame.ok()) << frame.status();

    std::vector<const std::byte*> shared;
    std::string all;
    for (const base::Buffer& piece : frame->pieces) {
      EXPECT_FALSE(piece.empty());
      all += piece.text();
      shared.push_back(piece.bytes().data());
    }
    EXPECT_EQ(frame->bytes, all.size());
    EXPECT_EQ(base::LoadBigEndian<int32_t>(base::AsBytes(all).data()),
              static_cast<int32_t>(all.size() - kSizeBytes));
    for (const base::Buffer* batch : {&first, &second, &third}) {
      EXPECT_THAT(shared, testing::Contains(batch->bytes().data()));
    }
    // What stands before, between and behind the records; in version 4 nothing stands behind.
    EXPECT_EQ(frame->pieces.size(), version == 4 ? 5u : 6u);

    Decoder decoder(base::AsBytes(all).subspan(kSizeBytes));
    const auto correlation = DecodeResponseHeader(decoder, ApiOf(ApiKey::kFetch), version);
    ASSERT_TRUE(correlation.ok());
    EXPECT_EQ(*correlation, 77);
    FetchResponse read;
    ASSERT_TRUE(Decode(decoder, version, read).ok());
    EXPECT_EQ(read, response);
  }
}

TEST(EncoderTest, RecordsLiveAsLongAsTheFrame) {
  EncodedFrame frame;
  {
    FetchResponse response;
    response.topics.emplace_back();
    response.topics[0].partitions = {PartitionWith({Batch(100, 'x')})};
    Encoder encoder;
    Encode(encoder, 11, response);
    frame = *std::move(encoder).Take();
  }
  EXPECT_EQ(frame.pieces[1].text(), std::string(100, 'x'));
}

TEST(EncoderTest, ABlockGrowsOverAllThatIsWritten) {
  MetadataResponse response;
  response.topics.resize(2000);
  for (size_t i = 0; i < response.topics.size(); ++i) {
    response.topics[i].name = std::string(i % 300, 'n');
  }
  for (const int16_t version : {int16_t{1}, int16_t{12}}) {
    const std::string bytes = Encoded(version, response);
    MetadataResponse read;
    ASSERT_TRUE(DecodeAll(bytes, version, read).ok());
    EXPECT_EQ(read, response);
  }
}

TEST(EncoderTest, ATextThatItsLengthCannotSayIsAnError) {
  MetadataResponse response;
  response.cluster_id = std::string(INT16_MAX + 1, 'c');
  Encoder classic;
  Encode(classic, 2, response);
  const auto refused = std::move(classic).Take();
  EXPECT_EQ(ReasonOf(refused.status()), Reason::kInternal);
  EXPECT_THAT(std::string(refused.status().message()),
              HasSubstr("a text or list of 32768 is longer than 32767"));
  Encoder compact;
  Encode(compact, 9, response);
  EXPECT_TRUE(std::move(compact).Take().ok());
  response.cluster_id->pop_back();
  Encoder longest;
  Encode(longest, 2, response);
  EXPECT_TRUE(std::move(longest).Take().ok());
}

TEST(EncoderTest, TheSizeOfALongTagIsAVarint) {
  FetchRequest request;
  const std::string id(300, 'i');
  request.cluster_id = id;
  FetchRequest read;
  const std::string bytes = Encoded(12, request);
  ASSERT_TRUE(DecodeAll(bytes, 12, read).ok());
  EXPECT_EQ(read, request);
  // Tag 0 of 302 bytes, a text of 300.
  EXPECT_THAT(bytes, HasSubstr(std::string("\1\0\xae\2\xad\2i", 7)));
}

TEST(EncoderDeathTest, WhatWouldBeLostIsAMistake) {
  FetchRequest request;
  request.forgotten_topics.resize(1);
  Encoder encoder;
  EXPECT_DEATH(Encode(encoder, 6, request), "FetchRequest.forgotten_topics");
  FetchRequest ignorable;
  ignorable.session_id = 5;
  Encode(encoder, 6, ignorable);
}

TEST(EncoderDeathTest, NullWhereNothingMayBeNullIsAMistake) {
  MetadataRequest request;
  request.topics.reset();
  Encoder encoder;
  EXPECT_DEATH(Encode(encoder, 0, request), "MetadataRequest.topics");
}

TEST(EncoderDeathTest, AVersionThatThereIsNotIsAMistake) {
  Encoder encoder;
  EXPECT_DEATH(Encode(encoder, 13, FetchRequest()), "Fetch 13");
}

}  // namespace
}  // namespace talosmq::kafka
