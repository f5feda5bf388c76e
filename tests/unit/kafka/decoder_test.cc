#include "kafka/protocol/decoder.h"

#include "kafka/protocol/api_versions.h"
#include "kafka/protocol/delete_groups.h"
#include "kafka/protocol/fetch.h"
#include "kafka/protocol/headers.h"
#include "kafka/protocol/join_group.h"
#include "kafka/protocol/metadata.h"
#include "kafka/protocol/offset_fetch.h"
#include "kafka/protocol/produce.h"
#include "talosmq/error.h"

#include "unit/kafka/message_text.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace talosmq::kafka {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using namespace std::string_view_literals;

/// What is wrong with `bytes` as that message; empty when nothing is.
template <typename Message>
std::string FaultOf(std::string_view bytes, int16_t version) {
  Message message;
  return std::string(DecodeAll(bytes, version, message).message());
}

TEST(DecoderTest, AFaultNamesFieldPositionExpectedAndFound) {
  // transactional id null, acks, timeout, 1 topic "t", 1 partition 0, 1000 bytes of records.
  EXPECT_EQ(FaultOf<ProduceRequest>("\xff\xff\0\1\0\0\0\1\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\3\xe8"
                                    "abc"sv,
                                    3),
            "ProduceRequest.topics.partitions.records at byte 27: expected 1000 bytes, found 3");
}

TEST(DecoderTest, AVersionThatTheCodecDoesNotKnowIsTold) {
  for (const int16_t version : {int16_t{-1}, int16_t{10}, int16_t{INT16_MAX}}) {
    ProduceRequest request;
    const absl::Status status = DecodeAll(""sv, version, request);
    EXPECT_EQ(ReasonOf(status), Reason::kUnsupportedVersion);
    EXPECT_THAT(std::string(status.message()), HasSubstr("expected a version in [0, 9], found"));
  }
}

TEST(DecoderTest, ACountBeyondTheBytesLeftMakesNothing) {
  const auto expect_refused = [](std::string_view bytes, int16_t version, std::string_view fault) {
    DeleteGroupsRequest request;
    EXPECT_EQ(DecodeAll(bytes, version, request).message(), base::ToAbsl(fault));
    EXPECT_EQ(request.groups.capacity(), 0u);
  };
  expect_refused("\x7f\xff\xff\xff\0\0\0\0\0\0"sv, 0,
                 "DeleteGroupsRequest.groups at byte 0: expected at most 6 items in the bytes "
                 "left, found a count of 2147483647");
  expect_refused("\0\0\0\7\0\0\0\0\0\0"sv, 0,
                 "DeleteGroupsRequest.groups at byte 0: expected at most 6 items in the bytes "
                 "left, found a count of 7");
  expect_refused("\xff\xff\xff\xff\x0f\0\0\0\0\0"sv, 2,
                 "DeleteGroupsRequest.groups at byte 0: expected at most 5 items in the bytes "
                 "left, found a count of 4294967294");
  expect_refused("\x80\0\0\0\0\0\0\0\0\0"sv, 0,
                 "DeleteGroupsRequest.groups at byte 0: expected a length of -1 or more, found "
                 "-2147483648");
}

TEST(DecoderTest, ACountTakesMemoryForTheBytesLeftAtMost) {
  // 1,000 items were told, each of one byte at least; the first ones are all there is.
  const std::string bytes = "\xe9\x07" + std::string(1000, '\x02');
  DeleteGroupsRequest request;
  EXPECT_FALSE(DecodeAll(bytes, 2, request).ok());
  EXPECT_LE(request.groups.capacity() * sizeof(std::string_view),
            bytes.size() * kDecodedBytesPerByteMax);
}

TEST(DecoderTest, ListsBeyondTheLimitMakeNothing) {
  const std::string bytes = std::string("\0\0\0\3", 4) + std::string(6, '\0');  // 3 empty names.
  constexpr size_t kNeeded = 3 * sizeof(std::string_view);
  const auto decode = [&bytes](size_t limit) {
    Decoder decoder(base::AsBytes(bytes));
    decoder.LimitDecoded(limit);
    DeleteGroupsRequest request;
    const absl::Status status = Decode(decoder, 0, request);
    EXPECT_EQ(request.groups.size(), status.ok() ? 3u : 0u);
    EXPECT_EQ(decoder.decoded_bytes(), status.ok() ? kNeeded : 0u);
    return std::string(status.message());
  };
  EXPECT_EQ(decode(kNeeded - 1),
            "DeleteGroupsRequest.groups at byte 4: expected lists of at most 47 bytes in memory, "
            "found 48");
  EXPECT_EQ(decode(kNeeded), "");
}

TEST(DecoderTest, TheLimitHoldsForAllListsTogether) {
  // Group "g", 1 topic "t" with the partitions 1 and 2.
  const std::string_view bytes = "\0\1g\0\0\0\1\0\1t\0\0\0\2\0\0\0\1\0\0\0\2"sv;
  constexpr size_t kNeeded = sizeof(OffsetFetchRequest::Topic) + 2 * sizeof(int32_t);
  const auto decode = [&bytes](size_t limit) {
    Decoder decoder(base::AsBytes(bytes));
    decoder.LimitDecoded(limit);
    OffsetFetchRequest request;
    return Decode(decoder, 1, request);
  };
  EXPECT_FALSE(decode(kNeeded - 1).ok());
  EXPECT_TRUE(decode(kNeeded).ok());
}

TEST(DecoderTest, AVarintLongerThan32BitsIsRefused) {
  for (const std::string_view bytes :
       {"\xff\xff\xff\xff\x1f\0"sv, "\x80\x80\x80\x80\x80\0"sv, "\x81\x80\x80\x80\x80\1\0"sv}) {
    EXPECT_THAT(FaultOf<DeleteGroupsRequest>(bytes, 2),
                HasSubstr("expected an unsigned varint of 32 bits"));
  }
  EXPECT_EQ(FaultOf<DeleteGroupsRequest>("\x81\x80\x80\x80\0\0"sv, 2), "")
      << "zeros in front of it do not matter";
}

TEST(DecoderTest, NullIsRefusedWhereNothingMayBeNull) {
  constexpr std::string_view kFault = "expected a value, found null";
  EXPECT_THAT(FaultOf<JoinGroupRequest>("\xff\xff"sv, 0), HasSubstr(kFault)) << "text";
  EXPECT_THAT(FaultOf<JoinGroupRequest>("\0"sv, 6), HasSubstr(kFault)) << "compact text";
  EXPECT_THAT(FaultOf<DeleteGroupsRequest>("\xff\xff\xff\xff"sv, 0), HasSubstr(kFault)) << "list";
  EXPECT_THAT(FaultOf<DeleteGroupsRequest>("\0\0"sv, 2), HasSubstr(kFault)) << "compact list";
  // In version 0 an empty list asks for all topics; null does so from version 1 on.
  EXPECT_THAT(FaultOf<MetadataRequest>("\xff\xff\xff\xff"sv, 0), HasSubstr(kFault));
  EXPECT_EQ(FaultOf<MetadataRequest>("\xff\xff\xff\xff"sv, 1), "");
  // group "g", session timeout, member "", type "", protocol "p" with metadata.
  constexpr std::string_view kJoin = "\0\1g\0\0\0\0\0\0\0\0\0\0\0\1\0\1p\xff\xff\xff\xff"sv;
  EXPECT_THAT(FaultOf<JoinGroupRequest>(kJoin, 0), HasSubstr(kFault)) << "bytes";
}

TEST(DecoderTest, ALengthBelowNullIsRefused) {
  EXPECT_EQ(FaultOf<JoinGroupRequest>("\x80\0"sv, 0),
            "JoinGroupRequest.group_id at byte 0: expected a length of -1 or more, found -32768");
}

TEST(DecoderTest, TagsAscend) {
  constexpr std::string_view kNames = "\2a\2b"sv;  // Client software, its version.
  const auto fault_of = [&](std::string_view tags) {
    return FaultOf<ApiVersionsRequest>(std::string(kNames) + std::string(tags), 3);
  };
  EXPECT_EQ(fault_of("\2\5\1x\7\0"sv), "");
  EXPECT_EQ(fault_of("\2\7\0\5\1x"sv),
            "ApiVersionsRequest at byte 8: expected a tag above 7, found 5");
  EXPECT_THAT(fault_of("\2\5\0\5\0"sv), HasSubstr("expected a tag above 5, found 5"));
  EXPECT_THAT(fault_of("\1\5\2x"sv), HasSubstr("expected 2 bytes of tag 5, found 1"));
  EXPECT_THAT(fault_of("\xff\xff\xff\xff\x0f"sv), HasSubstr("expected at most 0 tags"));
  EXPECT_THAT(fault_of(""sv), HasSubstr("expected 1 bytes, found 0"));
}

TEST(DecoderTest, ATagIsReadToItsEnd) {
  // Fetch with a cluster id, its tag 0, in front of which all is zero or empty.
  const auto fault_of = [](std::string_view tags) {
    std::string bytes(4 + 4 + 4 + 4 + 1 + 4 + 4, '\0');
    bytes += "\1\1\1";
    return FaultOf<FetchRequest>(bytes + std::string(tags), 12);
  };
  EXPECT_EQ(fault_of("\1\0\3\3id"sv), "");
  EXPECT_THAT(fault_of("\1\0\4\3id\0"sv), HasSubstr("expected the end, found 1 more bytes"));
  EXPECT_THAT(fault_of("\1\0\2\3id"sv), HasSubstr("cluster_id"));
  EXPECT_THAT(fault_of("\1\0\0"sv), HasSubstr("cluster_id"));
}

TEST(DecoderTest, AnyOtherByteThanZeroIsTrue) {
  for (const char value : {'\1', '\2', '\xff'}) {
    const std::string bytes = std::string("\0\0\0\0"sv) + value;
    MetadataRequest request;
    ASSERT_TRUE(DecodeAll(bytes, 4, request).ok());
    EXPECT_TRUE(request.allow_auto_topic_creation);
  }
}

TEST(DecoderTest, WhatAVersionLacksHasItsDefault) {
  MetadataRequest request;
  ASSERT_TRUE(DecodeAll("\0\0\0\0"sv, 0, request).ok());
  EXPECT_TRUE(request.allow_auto_topic_creation);
  ProduceResponse response;
  // 1 topic "t", 1 partition: index, error, base offset.
  ASSERT_TRUE(DecodeAll("\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\7"sv, 0, response).ok());
  EXPECT_EQ(response.topics[0].partitions[0].base_offset, 7);
  EXPECT_EQ(response.topics[0].partitions[0].log_append_time_ms, -1);
}

TEST(DecoderTest, TextsAndRecordsOfARequestViewTheFrame) {
  const std::string frame("\xff\xff\0\1\0\0\0\1\0\0\0\1\0\1t\0\0\0\1\0\0\0\0\0\0\0\3abc"sv);
  ProduceRequest request;
  ASSERT_TRUE(DecodeAll(frame, 3, request).ok());
  EXPECT_EQ(request.topics[0].name.data(), frame.data() + 14);
  EXPECT_EQ(request.topics[0].partitions[0].records->data(), frame.data() + frame.size() - 3);
}

TEST(RequestHeaderTest, TheFirstFieldsOfWhatIsNotKnownHold) {
  const auto status_of = [](std::string_view bytes, RequestHeader& header) {
    Decoder decoder(base::AsBytes(bytes));
    return Decode(decoder, header);
  };
  RequestHeader header;
  // ApiVersions in a version to come: its answer needs the correlation id.
  EXPECT_EQ(ReasonOf(status_of("\0\x12\0\x63\1\2\3\4"sv, header)), Reason::kUnsupportedVersion);
  EXPECT_EQ(header.api_key, 18);
  EXPECT_EQ(header.version, 99);
  EXPECT_EQ(header.correlation_id, 0x01020304);
  const absl::Status unknown = status_of("\x7f\xff\0\0\1\2\3\4"sv, header);
  EXPECT_EQ(ReasonOf(unknown), Reason::kUnsupportedVersion);
  EXPECT_THAT(std::string(unknown.message()), HasSubstr("there is no API 32767"));
  EXPECT_EQ(header.correlation_id, 0x01020304);
}

TEST(RequestHeaderTest, EveryCutIsAnError) {
  // ApiVersions 3: the client id is classic, tags follow.
  constexpr std::string_view kWhole = "\0\x12\0\3\1\2\3\4\0\2id\1\5\1x"sv;
  for (size_t size = 0; size <= kWhole.size(); ++size) {
    const std::string cut(kWhole.substr(0, size));
    Decoder decoder(base::AsBytes(cut));
    RequestHeader header;
    const absl::Status status = Decode(decoder, header);
    EXPECT_EQ(status.ok(), size == kWhole.size()) << size;
    if (!status.ok()) {
      EXPECT_THAT(std::string(status.message()), StartsWith("RequestHeader"));
    }
  }
}

TEST(RequestHeaderTest, AClientMayHaveNoId) {
  Decoder decoder(base::AsBytes("\0\x12\0\0\1\2\3\4\xff\xff"sv));
  RequestHeader header;
  ASSERT_TRUE(Decode(decoder, header).ok());
  EXPECT_EQ(header.client_id, std::nullopt);
}

}  // namespace
}  // namespace talosmq::kafka
