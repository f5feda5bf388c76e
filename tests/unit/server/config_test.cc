#include "server/config.h"

#include "server/config_file.h"
#include "server/config_keys.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace talosmq::server {
namespace {

using testing::HasSubstr;

/// Reads a file of settings and applies it.
absl::StatusOr<ServerConfig> Load(std::string_view text) {
  auto entries = ParseConfigFile(text, "test.yaml");
  if (!entries.ok()) return entries.status();
  return MakeConfig(*entries);
}

std::string ErrorOf(std::string_view text) {
  const absl::Status status = Load(text).status();
  EXPECT_EQ(ReasonOf(status), Reason::kInvalidConfig) << status;
  return std::string(status.message());
}

TEST(ConfigTest, UnknownKeyIsRefusedWithTheNearestOne) {
  EXPECT_THAT(ErrorOf("grpc.lisen: 127.0.0.1:1"),
              testing::AllOf(HasSubstr("grpc.lisen"), HasSubstr("did you mean grpc.listen"),
                             HasSubstr("test.yaml line 1")));
  EXPECT_THAT(ErrorOf("loglevel: info"), HasSubstr("did you mean log.level"));
}

TEST(ConfigTest, TlsFilesAreGivenWholeOrNotAtAll) {
  EXPECT_THAT(ErrorOf("tls.cert: a.pem"), HasSubstr("tls.cert and tls.key together"));
  EXPECT_THAT(ErrorOf("tls.key: a.key"), HasSubstr("tls.cert and tls.key together"));
  EXPECT_THAT(ErrorOf("tls.client_ca: ca.pem"), HasSubstr("tls.cert and tls.key beside it"));
  EXPECT_TRUE(Load("tls.cert: a.pem\ntls.key: a.key").ok());
}

TEST(ConfigTest, OnlyMutualTlsOpensAPortToTheNetwork) {
  for (const char* key : {"grpc.listen", "http.listen"}) {
    const std::string open = std::string(key) + ": 0.0.0.0:1\ntls.cert: a.pem\ntls.key: a.key\n";
    EXPECT_THAT(ErrorOf(open), testing::AllOf(HasSubstr(key), HasSubstr("tls.client_ca")));
    EXPECT_TRUE(Load(open + "tls.client_ca: ca.pem").ok());
  }
}

TEST(ConfigTest, PlainHttpPortStaysOnThisMachine) {
  const std::string plain = "tls.cert: a\ntls.key: b\ntls.client_ca: c\nhttp.tls: false\n";
  EXPECT_TRUE(Load(plain).ok());
  EXPECT_THAT(ErrorOf(plain + "http.listen: 0.0.0.0:1"),
              testing::AllOf(HasSubstr("http.listen"), HasSubstr("http.tls is false")));
}

TEST(ConfigTest, ValueOutsideItsBoundIsRefusedByName) {
  EXPECT_THAT(ErrorOf("\nstorage.flush_group_bytes_max: 5"),
              testing::AllOf(HasSubstr("line 2"), HasSubstr("storage.flush_group_bytes_max"),
                             HasSubstr("1048576 to 1073741824"), HasSubstr("\"5\"")));
  EXPECT_THAT(ErrorOf("broker.shards: -1"), HasSubstr("0 to 64"));
  EXPECT_THAT(ErrorOf("broker.shards: 2x"), HasSubstr("2x"));
  EXPECT_THAT(ErrorOf("broker.shards: 99999999999999999999"), HasSubstr("0 to 64"));
  EXPECT_THAT(ErrorOf("broker.shards:"), HasSubstr("found \"\""));
  EXPECT_THAT(ErrorOf("storage.tail_cache_bytes_max: 1000"), HasSubstr("at least 33554432"));
  EXPECT_THAT(ErrorOf("log.level: loud"), HasSubstr("debug, info, warning, error"));
  EXPECT_THAT(ErrorOf("security.insecure_network: maybe"), HasSubstr("true, false"));
}

TEST(ConfigTest, PathWithAZeroByteIsRefused) {
  EXPECT_THAT(ErrorOf("data_dir: \"a\\0b\""), HasSubstr("data_dir"));
}

TEST(ConfigTest, BadAddressIsRefusedByName) {
  for (const char* address : {"localhost", ":9191", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1",
                              "a b:1", "[::1:1", "::1:1"}) {
    EXPECT_THAT(ErrorOf(std::string("grpc.listen: \"") + address + "\""), HasSubstr("HOST:PORT"))
        << address;
  }
  EXPECT_THAT(ErrorOf("kafka.listen: A=127.0.0.1:1,A=127.0.0.1:2"), HasSubstr("kafka.listen"));
  EXPECT_THAT(ErrorOf("kafka.listen: A=nowhere"), HasSubstr("kafka.listen"));
}

TEST(ConfigTest, ListenerOffLoopbackIsRefusedWithWhatToSet) {
  for (const char* key : {"grpc.listen", "http.listen", "kafka.listen"}) {
    EXPECT_THAT(ErrorOf(std::string(key) + ": 0.0.0.0:9000"),
                testing::AllOf(HasSubstr(key), HasSubstr("security.insecure_network: true")));
  }
  EXPECT_THAT(ErrorOf("grpc.listen: 127.evil.example.com:9000"), HasSubstr("insecure_network"));
  EXPECT_TRUE(Load("grpc.listen: 0.0.0.0:1\nsecurity.insecure_network: true").ok());
  EXPECT_TRUE(Load("grpc.listen: \"[::1]:0\"").ok());
  EXPECT_TRUE(Load("grpc.listen: 127.3.2.1:0\nhttp.listen: localhost:0").ok());
}

TEST(ConfigTest, SelectionsOfKafkaListenersNameThem) {
  for (const char* key : {"kafka.tls", "kafka.sasl"}) {
    for (const char* wrong : {"", "true", "outside", "A,", "A,C", "all,A"}) {
      EXPECT_THAT(ErrorOf(std::string("tls.cert: a\ntls.key: b\nkafka.listen: "
                                      "A=127.0.0.1:1,B=127.0.0.1:2\n") +
                          key + ": \"" + wrong + "\""),
                  testing::AllOf(HasSubstr(key), HasSubstr("all, none or names of kafka.listen")))
          << wrong;
    }
  }
  EXPECT_THAT(ErrorOf("kafka.listen: A=127.0.0.1:1\nkafka.tls: A"), HasSubstr("tls.cert"));
}

TEST(ConfigTest, KafkaListenersOffLoopbackNeedACertificateOrALogin) {
  const std::string open = "kafka.listen: A=127.0.0.1:1,B=0.0.0.0:2\n";
  const std::string tls = open + "tls.cert: a\ntls.key: b\n";
  EXPECT_THAT(ErrorOf(open + "kafka.sasl: all"), HasSubstr("it has no TLS"));
  EXPECT_THAT(ErrorOf(tls), HasSubstr("set tls.client_ca or kafka.sasl"));
  EXPECT_THAT(ErrorOf(tls + "kafka.sasl: A"), HasSubstr("set tls.client_ca or kafka.sasl"));
  EXPECT_THAT(ErrorOf(tls + "kafka.sasl: B\nkafka.tls: A"), HasSubstr("it has no TLS"));
  EXPECT_TRUE(Load(tls + "kafka.sasl: B").ok());
  EXPECT_TRUE(Load(tls + "kafka.sasl: all\nkafka.tls: B").ok());
  EXPECT_TRUE(Load(tls + "tls.client_ca: c").ok());
}

TEST(ConfigTest, EachKafkaListenerHasItsOwnGuard) {
  const auto config = Load(
      "tls.cert: a\ntls.key: b\nkafka.listen: A=127.0.0.1:1,B=127.0.0.1:2\n"
      "kafka.tls: B\nkafka.sasl: \"A,B\"");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(GuardOf(*config, "A").has_tls);
  EXPECT_TRUE(GuardOf(*config, "A").asks_for_login);
  EXPECT_FALSE(GuardOf(*config, "A").is_tight);
  EXPECT_TRUE(GuardOf(*config, "B").is_tight);
  const ServerConfig plain;
  EXPECT_FALSE(GuardOf(plain, "").has_tls) << "without a certificate";
  EXPECT_FALSE(GuardOf(plain, "").asks_for_login);
}

TEST(ConfigTest, EtcdIsRefusedForNow) {
  EXPECT_THAT(ErrorOf("metadata.store: etcd://a:2379/x"), HasSubstr("not built yet"));
  EXPECT_THAT(ErrorOf("metadata.store: mysql"), HasSubstr("expected rocksdb:"));
}

TEST(ConfigTest, RolesOfASingleNodeAreChecked) {
  EXPECT_THAT(ErrorOf("roles: sink"), HasSubstr("needs both broker and controller"));
  EXPECT_THAT(ErrorOf("roles: broker,cook"), HasSubstr("cook"));
  const auto config = Load("roles: [broker, controller]");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->roles.sink);
}

TEST(ConfigTest, TextThatIsNoMapOfSettingsIsRefused) {
  EXPECT_THAT(ErrorOf("- a\n- b"), HasSubstr("expected keys with values"));
  EXPECT_THAT(ErrorOf("a: [b"), HasSubstr("test.yaml line"));
  EXPECT_THAT(ErrorOf("? [a]\n: b"), HasSubstr("a key is a word"));
  EXPECT_THAT(ErrorOf("log.level: info\nlog:\n  level: debug"),
              HasSubstr("log.level is set twice"));
  EXPECT_THAT(ErrorOf("roles: [[broker]]"), HasSubstr("a word or a list of words"));
  EXPECT_TRUE(Load("").ok());
  EXPECT_TRUE(Load("# nothing but words").ok());
}

TEST(ConfigTest, AliasesCannotGrowTheFileWithoutBound) {
  EXPECT_THAT(ErrorOf("a: &a\n  b: *a"), HasSubstr("nested too deeply"));
  std::string bomb = "x0: &x0 {k: v}\n";
  for (int i = 1; i < 7; ++i) {
    bomb += "x" + std::to_string(i) + ": &x" + std::to_string(i) + " {";
    for (int j = 0; j < 9; ++j) {
      bomb += "k" + std::to_string(j) + ": *x" + std::to_string(i - 1) + ", ";
    }
    bomb += "}\n";
  }
  EXPECT_THAT(ErrorOf(bomb), HasSubstr("more keys than there are"));
}

TEST(ConfigTest, LaterSettingsOverrideEarlierOnes) {
  auto entries = ParseConfigFile("log:\n  level: debug\n  form: json\n", "f");
  ASSERT_TRUE(entries.ok());
  entries->push_back(*ParseSetting("log.level=error"));
  const auto config = MakeConfig(*entries);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->log_level, base::LogLevel::kError);
  EXPECT_EQ(config->log_form, base::LogForm::kJson);
}

TEST(ConfigTest, SettingWithoutAKeyIsRefused) {
  EXPECT_FALSE(ParseSetting("log.level").ok());
  EXPECT_FALSE(ParseSetting("=x").ok());
  EXPECT_EQ(ParseSetting("a=b=c")->value, "b=c");
}

TEST(ConfigTest, PageInTheRepositoryIsWhatTheProgramPrints) {
  std::ifstream file("config/talosmqd.yaml");
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), RenderConfigPage(ServerConfig()))
      << "run: talosmqd --print-config > config/talosmqd.yaml";
}

TEST(ConfigTest, PrintedPageReadsBackAsItWas) {
  const auto config = Load(
      "data_dir: \"/tmp/with \\\"quotes\\\" and # signs\"\nstorage.checkpoint_interval_ms: 77\n"
      "roles: broker,controller\nkafka.listen: A=127.0.0.1:1,B=127.0.0.1:2\n");
  ASSERT_TRUE(config.ok()) << config.status();
  const std::string page = RenderConfigPage(*config);
  const auto again = Load(page);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(RenderConfigPage(*again), page);
  EXPECT_EQ(again->data_dir, "/tmp/with \"quotes\" and # signs");
  EXPECT_EQ(again->storage.checkpoint_interval, absl::Milliseconds(77));
}

TEST(ConfigTest, EveryKeySaysItsMeaningAndBound) {
  for (const ConfigKey& key : ConfigKeys()) {
    EXPECT_THAT(key.meaning, testing::EndsWith(".")) << key.name;
    EXPECT_FALSE(key.bound.empty()) << key.name;
  }
}

}  // namespace
}  // namespace talosmq::server
