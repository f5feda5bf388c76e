#include "cli/document.h"
#include "cli/progress.h"
#include "cli/record_document.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "yaml-cpp/yaml.h"

#include <string>

namespace talosmq::cli {
namespace {

Document Sample() {
  return {
      {"topic", "orders"},
      {"latency_ms", {{"p50", 1.5}, {"max", 20}}},
      {"replicas", {0, 1}},
      {"error", nullptr},
      {"partitions", {{{"partition", 0}, {"bytes", 7}}, {{"partition", 11}, {"bytes", 12345}}}}};
}

TEST(DocumentTest, UnknownFormIsRefused) {
  EXPECT_FALSE(ParseOutputForm("xml").ok());
  EXPECT_FALSE(ParseOutputForm("").ok());
  EXPECT_FALSE(ParseOutputForm("JSON").ok());
}

TEST(DocumentTest, InvalidUtf8IsPrintedAndNotThrown) {
  const Document document{{"path", std::string("a\xff") + "b"}};
  EXPECT_EQ(RenderStreamed(document, OutputForm::kJson),
            "{\"path\":\"a\xef\xbf\xbd"
            "b\"}\n");
  EXPECT_FALSE(RenderDocument(document, OutputForm::kYaml).empty());
  EXPECT_FALSE(RenderDocument(document, OutputForm::kTable).empty());
}

TEST(DocumentTest, EmptyListIsStillAListForMachines) {
  EXPECT_EQ(RenderDocument(Document::array(), OutputForm::kJson), "[]\n");
  EXPECT_EQ(RenderDocument(Document::array(), OutputForm::kYaml), "[]\n");
  EXPECT_EQ(RenderDocument(Document::array(), OutputForm::kTable), "");
}

TEST(DocumentTest, JsonIsReadBackAsItWas) {
  EXPECT_EQ(Document::parse(RenderDocument(Sample(), OutputForm::kJson)), Sample());
  EXPECT_EQ(Document::parse(RenderStreamed(Sample(), OutputForm::kJson)), Sample());
}

TEST(DocumentTest, StreamedJsonIsOneLine) {
  const std::string line = RenderStreamed({{"value", "a\nb"}}, OutputForm::kJson);
  EXPECT_EQ(line, "{\"value\":\"a\\nb\"}\n");
}

TEST(DocumentTest, YamlKeepsStringsThatLookLikeSomethingElse) {
  const Document document{{"version", "1.0"}, {"flag", "no"}, {"text", "a: b\n# c"}, {"count", 7}};
  const YAML::Node node = YAML::Load(RenderDocument(document, OutputForm::kYaml));
  EXPECT_EQ(node["version"].Tag(), "!");  // Quoted: a string for every reader.
  EXPECT_EQ(node["flag"].Tag(), "!");
  EXPECT_EQ(node["text"].as<std::string>(), "a: b\n# c");
  EXPECT_EQ(node["count"].as<int>(), 7);
}

TEST(DocumentTest, YamlNestsAsTheDocumentDoes) {
  const YAML::Node node = YAML::Load(RenderDocument(Sample(), OutputForm::kYaml));
  EXPECT_EQ(node["latency_ms"]["p50"].as<double>(), 1.5);
  EXPECT_EQ(node["partitions"][1]["bytes"].as<int>(), 12345);
  EXPECT_TRUE(node["error"].IsNull());
}

TEST(DocumentTest, StreamedYamlIsADocumentEach) {
  const std::string stream =
      RenderStreamed({{"a", 1}}, OutputForm::kYaml) + RenderStreamed({{"a", 2}}, OutputForm::kYaml);
  EXPECT_EQ(YAML::LoadAll(stream).size(), 2U);
}

TEST(DocumentTest, TableAlignsNumbersToTheRight) {
  EXPECT_EQ(RenderDocument(Sample(), OutputForm::kTable),
            "topic           orders\n"
            "latency_ms.p50  1.5\n"
            "latency_ms.max  20\n"
            "replicas        0,1\n"
            "error           -\n"
            "\n"
            "partitions:\n"
            "partition  bytes\n"
            "        0      7\n"
            "       11  12345\n");
}

TEST(RecordDocumentTest, BytesThatAreNotUtf8StandInBase64) {
  ConsumedRecord record;
  record.value = "\xff\x01";
  const Document document = DescribeRecord("orders", PartitionId(1), record);
  EXPECT_EQ(document["value_base64"], "/wE=");
  EXPECT_FALSE(document.contains("value"));
  EXPECT_TRUE(document["key"].is_null());
}

TEST(RecordDocumentTest, HeadersKeepOrderAndRepetition) {
  ConsumedRecord record;
  record.offset = Offset(9);
  record.timestamp = absl::FromUnixMillis(77);
  record.key = "k";
  record.value = "";
  record.headers = {
      {.key = "b", .value = "1"}, {.key = "a", .value = {}}, {.key = "b", .value = "2"}};
  EXPECT_EQ(DescribeRecord("orders", PartitionId(1), record),
            Document::parse(R"({"topic":"orders","partition":1,"offset":9,"timestamp_ms":77,
                "key":"k","value":"","headers":[{"key":"b","value":"1"},{"key":"a","value":null},
                {"key":"b","value":"2"}]})"));
}

TEST(ProgressTest, RateOfNoTimeIsFinite) {
  EXPECT_THAT(DescribeRate(0, 0, absl::ZeroDuration()), testing::HasSubstr("0 records"));
}

TEST(ProgressTest, RateIsGroupedForTheEye) {
  EXPECT_EQ(DescribeRate(1'234'567, 50'000'000, absl::Seconds(2)),
            "1,234,567 records, 50.0 MB in 2.00 s (617,283 records/s, 25.0 MB/s)");
}

}  // namespace
}  // namespace talosmq::cli
