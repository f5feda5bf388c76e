#include "talosmq/trace_context.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace talosmq {
namespace {

// The examples and the rules of https://www.w3.org/TR/trace-context-1/.
constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

bool IsValid(std::string_view text) { return TraceContext::Parse(text).has_value(); }

std::string WithVersion(std::string_view version) {
  std::string text(kExample);
  return text.replace(0, version.size(), version);
}

std::string With(size_t at, char character) {
  std::string text(kExample);
  text[at] = character;
  return text;
}

TEST(TraceContextTest, AnUpperCaseDigitIsInvalid) { EXPECT_FALSE(IsValid(With(4, 'B'))); }

TEST(TraceContextTest, WhatIsNoDigitIsInvalid) {
  for (const size_t at : {size_t{0}, size_t{1}, size_t{3}, size_t{34}, size_t{36}, size_t{51},
                          size_t{53}, size_t{54}}) {
    EXPECT_FALSE(IsValid(With(at, 'g'))) << at;
    EXPECT_FALSE(IsValid(With(at, '\0'))) << at;
  }
}

TEST(TraceContextTest, FieldsArePartedByDashes) {
  for (const size_t at : {size_t{2}, size_t{35}, size_t{52}}) {
    EXPECT_FALSE(IsValid(With(at, '_'))) << at;
  }
}

TEST(TraceContextTest, IdsOfZerosAreInvalid) {
  EXPECT_FALSE(IsValid("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  EXPECT_FALSE(IsValid("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
}

TEST(TraceContextTest, AnythingShorterIsInvalid) {
  for (size_t size = 0; size < kExample.size(); ++size) {
    EXPECT_FALSE(IsValid(kExample.substr(0, size))) << size;
  }
}

TEST(TraceContextTest, Version00HasNoMoreFields) {
  for (const char next : {'-', ' ', '0'}) {
    std::string longer(kExample);
    longer.push_back(next);
    EXPECT_FALSE(IsValid(longer)) << longer;
  }
}

TEST(TraceContextTest, VersionFfIsInvalid) { EXPECT_FALSE(IsValid(WithVersion("ff"))); }

TEST(TraceContextTest, OfALaterVersionTheKnownFieldsAreRead) {
  const std::string later = WithVersion("cc");
  EXPECT_EQ(TraceContext::Parse(later), TraceContext::Parse(kExample));
  EXPECT_EQ(TraceContext::Parse(later + "-what-the-future-brings"), TraceContext::Parse(kExample));
  EXPECT_FALSE(IsValid(later + ".what"));
}

TEST(TraceContextTest, TheExampleIsReadAndWritten) {
  const auto context = TraceContext::Parse(kExample);
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->trace_id[0], 0x4b);
  EXPECT_EQ(context->trace_id[15], 0x36);
  EXPECT_EQ(context->parent_id[7], 0xb7);
  EXPECT_EQ(context->flags, TraceContext::kSampled);
  EXPECT_EQ(context->ToString(), kExample);
}

TEST(TraceContextTest, UnknownFlagsAreReadAndNotPassedOn) {
  const auto context =
      TraceContext::Parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff");
  ASSERT_TRUE(context.has_value());
  EXPECT_EQ(context->flags, 0xff);
  EXPECT_EQ(context->ToString(), kExample);
}

TEST(TraceContextTest, RecordsWithoutOneOrWithSeveralHaveNone) {
  const Header other{.key = "Traceparent", .value = kExample};
  const Header absent{.key = "traceparent"};
  const Header valid{.key = "traceparent", .value = kExample};
  EXPECT_FALSE(FindTraceContext({}).has_value());
  EXPECT_FALSE(FindTraceContext(std::vector{other}).has_value());
  EXPECT_FALSE(FindTraceContext(std::vector{absent}).has_value());
  EXPECT_FALSE(FindTraceContext(std::vector{valid, other, valid}).has_value());
  EXPECT_TRUE(FindTraceContext(std::vector{other, valid}).has_value());
}

TEST(TracedHeadersTest, TheTraceparentStandsBehindTheOthersOnce) {
  const std::vector<Header> before{{.key = "b", .value = "1"},
                                   {.key = "traceparent", .value = "old"},
                                   {.key = "a"},
                                   {.key = "b", .value = "2"},
                                   {.key = "traceparent"}};
  const TracedHeaders traced(before, *TraceContext::Parse(kExample));
  std::string text;
  for (const Header& header : traced.headers()) {
    text += std::string(header.key) + "=" + std::string(header.value.value_or("none")) + ";";
  }
  EXPECT_EQ(text,
            "b=1;a=none;b=2;"
            "traceparent=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01;");
  EXPECT_EQ(FindTraceContext(traced.headers()), TraceContext::Parse(kExample));
}

}  // namespace
}  // namespace talosmq
