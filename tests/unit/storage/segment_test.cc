// The names of segment files.

#include "storage/segment.h"

#include "gtest/gtest.h"

#include <optional>
#include <string>

namespace talosmq::storage {
namespace {

TEST(SegmentNameTest, SaysWhatACompactedSegmentStandsFor) {
  const SegmentName name{.base = Offset(7), .end = Offset(90), .generation = 12};
  const std::string file = SegmentFileName(name, kSegmentSuffix);
  EXPECT_EQ(file, "00000000000000000007-00000000000000000090-0000000012.log");
  EXPECT_EQ(ParseSegmentFileName(file, kSegmentSuffix), name);
  EXPECT_EQ(ParseSegmentFileName(file, kIndexSuffix), std::nullopt);
  for (const char* wrong : {"00000000000000000007-00000000000000000007-0000000012.log",
                            "00000000000000000007-00000000000000000090-0000000000.log",
                            "00000000000000000007-00000000000000000090-9999999999.log",
                            "00000000000000000007-00000000000000000090-00000000012.log",
                            "00000000000000000007_00000000000000000090-0000000012.log"}) {
    EXPECT_EQ(ParseSegmentFileName(wrong, kSegmentSuffix), std::nullopt) << wrong;
  }
}

}  // namespace
}  // namespace talosmq::storage
