// Logins over a real socket: what is served before, after, and to whom.

#include "base/tls_watch.h"
#include "kafka/error_code.h"
#include "kafka/kafka_front.h"
#include "kafka/protocol/metadata.h"
#include "kafka/protocol/sasl_authenticate.h"
#include "kafka/protocol/sasl_handshake.h"
#include "kafka/served_apis.h"
#include "support/certificate.h"
#include "support/kafka_messages.h"
#include "support/temporary_directory.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "unit/kafka/front_fixture.h"
#include "unit/kafka/scram_client.h"

#include <fstream>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

namespace talosmq::kafka {
namespace {

using testing::ElementsAre;

constexpr std::string_view kScram256 = "SCRAM-SHA-256";
constexpr std::string_view kScram512 = "SCRAM-SHA-512";
constexpr int16_t kAuthenticate = 2;

class LoginTest : public FrontTest {
 protected:
  LoginTest() { broker_.topics.AddUser("alice", "correct horse"); }

  void StartWithLogin(KafkaFrontOptions options = {}) {
    options.failed_login_pause = absl::Milliseconds(1);
    options.listeners = {{.host = "127.0.0.1", .port = 0, .asks_for_login = true}};
    StartAs(std::move(options));
  }

  static SaslHandshakeResponse Choose(const RawClient& client, std::string_view mechanism) {
    SaslHandshakeRequest request;
    request.mechanism = mechanism;
    client.Ask(request, 1, 1);
    return client.ReadAnswer<SaslHandshakeResponse>(1, 1);
  }
  static SaslAuthenticateResponse Send(const RawClient& client, std::string_view token) {
    SaslAuthenticateRequest request;
    request.auth_bytes = token;
    client.Ask(request, kAuthenticate, 2);
    return client.ReadAnswer<SaslAuthenticateResponse>(kAuthenticate, 2);
  }
  /// The error of the last step of a login by SCRAM.
  static ErrorCode LogIn(const RawClient& client, const ScramClient& scram) {
    const std::string_view mechanism =
        scram.hash == base::ScramHash::kSha256 ? kScram256 : kScram512;
    EXPECT_EQ(Choose(client, mechanism).error_code, 0);
    const auto challenge = Send(client, scram.First());
    if (challenge.error_code != 0) return static_cast<ErrorCode>(challenge.error_code);
    return static_cast<ErrorCode>(Send(client, scram.Final(challenge.auth_bytes)).error_code);
  }
  static bool IsServed(const RawClient& client) {
    client.Ask(MetadataRequest(), 4, 9);
    return client.ReadFrame().has_value();
  }
};

TEST_F(LoginTest, EveryOtherApiIsRefusedBeforeTheLogin) {
  StartWithLogin();
  int refused = 0;
  for (const auto& served : ServedRanges()) {
    const auto key = static_cast<ApiKey>(served.api_key);
    VisitApi(key, [&]<typename Request, typename Response>() {
      for (int16_t version = served.min_version; version <= served.max_version; ++version) {
        const RawClient client(port());
        client.Ask(Request(), version, 1);
        const bool is_open = key == ApiKey::kApiVersions || key == ApiKey::kSaslHandshake ||
                             key == ApiKey::kSaslAuthenticate;
        EXPECT_EQ(client.ReadFrame().has_value(), is_open) << ApiOf(key).name << " " << version;
        refused += is_open ? 0 : 1;
      }
    });
  }
  EXPECT_GT(refused, 100);
  EXPECT_EQ(broker_.messages.appends(), 0u);
  EXPECT_EQ(broker_.messages.fetches(), 0u);
}

TEST_F(LoginTest, NothingIsServedInTheMiddleOfALogin) {
  StartWithLogin();
  const RawClient chosen(port());
  EXPECT_EQ(Choose(chosen, kScram256).error_code, 0);
  EXPECT_FALSE(IsServed(chosen));

  const RawClient challenged(port());
  Choose(challenged, kScram256);
  EXPECT_EQ(Send(challenged, ScramClient().First()).error_code, 0);
  EXPECT_FALSE(IsServed(challenged));
}

TEST_F(LoginTest, WhoHasLoggedInIsServed) {
  StartWithLogin();
  for (const base::ScramHash hash : {base::ScramHash::kSha256, base::ScramHash::kSha512}) {
    const RawClient client(port());
    EXPECT_EQ(LogIn(client, {.hash = hash}), ErrorCode::kNone);
    EXPECT_TRUE(IsServed(client));
    EXPECT_TRUE(IsServed(client));
  }
}

TEST_F(LoginTest, TheServerProvesThatItKnowsTheUser) {
  StartWithLogin();
  const RawClient client(port());
  const ScramClient scram;
  Choose(client, kScram256);
  const std::string challenge = Send(client, scram.First()).auth_bytes;
  const std::string last = Send(client, scram.Final(challenge)).auth_bytes;
  EXPECT_EQ(last.substr(0, 2), "v=");
}

TEST_F(LoginTest, AFailedLoginEndsTheConnection) {
  StartWithLogin();
  for (const ScramClient& wrong :
       {ScramClient{.password = "wrong"}, ScramClient{.user = "nobody"},
        ScramClient{.gs2_header = "n,a=bob,"}, ScramClient{.gs2_header = "p=tls-unique,,"},
        ScramClient{.final_header = "y,,"}, ScramClient{.final_nonce = "mine"}}) {
    const RawClient client(port());
    EXPECT_EQ(LogIn(client, wrong), ErrorCode::kSaslAuthenticationFailed);
    EXPECT_TRUE(client.IsEnded());
  }
}

TEST_F(LoginTest, AFailedLoginIsAnsweredAfterAPause) {
  KafkaFrontOptions options;
  options.listeners = {{.host = "127.0.0.1", .port = 0, .asks_for_login = true}};
  options.failed_login_pause = absl::Milliseconds(200);
  StartAs(std::move(options));
  const RawClient client(port());
  const absl::Duration began = broker_.clock.Monotonic();
  EXPECT_EQ(LogIn(client, {.password = "wrong"}), ErrorCode::kSaslAuthenticationFailed);
  EXPECT_GE(broker_.clock.Monotonic() - began, absl::Milliseconds(200));
}

TEST_F(LoginTest, AUserThatThereIsNotLooksLikeOneThatThereIs) {
  StartWithLogin();
  const auto ask = [this](const std::string& user) {
    const RawClient client(port());
    const ScramClient scram{.user = user, .password = "a guess"};
    Choose(client, kScram256);
    const std::string challenge = Send(client, scram.First()).auth_bytes;
    const auto last = Send(client, scram.Final(challenge));
    return std::tuple(ScramClient::Attribute(challenge, 's'),
                      ScramClient::Attribute(challenge, 'r').size(), last.error_code,
                      last.error_message, last.auth_bytes, ScramClient::Attribute(challenge, 'i'));
  };
  const auto known = ask("alice");
  const auto unknown = ask("nobody");
  EXPECT_EQ(std::get<0>(unknown).size(), std::get<0>(known).size());
  EXPECT_EQ(std::get<1>(unknown), std::get<1>(known));
  EXPECT_EQ(std::get<2>(unknown), std::get<2>(known));
  EXPECT_EQ(std::get<3>(unknown), std::get<3>(known));
  EXPECT_EQ(std::get<4>(unknown), std::get<4>(known));
  EXPECT_EQ(std::get<5>(unknown), std::get<5>(known));
  EXPECT_EQ(ask("nobody"), unknown) << "the salt is the same each time";
  EXPECT_NE(std::get<0>(ask("nobody else")), std::get<0>(unknown));
}

TEST_F(LoginTest, ALoginThatWasHeardCannotBeRepeated) {
  StartWithLogin();
  const ScramClient scram;
  const RawClient client(port());
  Choose(client, kScram256);
  const std::string heard = scram.Final(Send(client, scram.First()).auth_bytes);
  EXPECT_EQ(Send(client, heard).error_code, 0);

  const RawClient listener(port());
  Choose(listener, kScram256);
  Send(listener, scram.First());
  EXPECT_EQ(Send(listener, heard).error_code, Wire(ErrorCode::kSaslAuthenticationFailed));
}

TEST_F(LoginTest, PlainIsNotOfferedWithoutTls) {
  StartWithLogin();
  const RawClient client(port());
  const auto answer = Choose(client, "PLAIN");
  EXPECT_EQ(answer.error_code, Wire(ErrorCode::kUnsupportedSaslMechanism));
  EXPECT_THAT(answer.mechanisms, ElementsAre(kScram256, kScram512));
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(LoginTest, UnknownMechanismsEndTheConnection) {
  StartWithLogin();
  for (const std::string_view mechanism : {"", "GSSAPI", "scram-sha-256", "SCRAM-SHA-256-PLUS"}) {
    const RawClient client(port());
    EXPECT_EQ(Choose(client, mechanism).error_code, Wire(ErrorCode::kUnsupportedSaslMechanism));
    EXPECT_TRUE(client.IsEnded());
  }
}

TEST_F(LoginTest, StepsOutOfOrderAreRefused) {
  StartWithLogin();
  const RawClient no_mechanism(port());
  EXPECT_EQ(Send(no_mechanism, ScramClient().First()).error_code,
            Wire(ErrorCode::kIllegalSaslState));
  EXPECT_TRUE(no_mechanism.IsEnded());

  const RawClient twice(port());
  Choose(twice, kScram256);
  EXPECT_EQ(Choose(twice, kScram512).error_code, Wire(ErrorCode::kIllegalSaslState));
  EXPECT_TRUE(twice.IsEnded());

  const RawClient again(port());
  EXPECT_EQ(LogIn(again, {}), ErrorCode::kNone);
  EXPECT_EQ(Choose(again, kScram256).error_code, Wire(ErrorCode::kIllegalSaslState));
  EXPECT_EQ(Send(again, "token").error_code, Wire(ErrorCode::kIllegalSaslState));
  EXPECT_TRUE(IsServed(again)) << "who has logged in stays so";
}

TEST_F(LoginTest, APortThatAsksForNoLoginSaysSo) {
  Start();
  const RawClient client(port());
  EXPECT_EQ(Choose(client, kScram256).error_code, Wire(ErrorCode::kIllegalSaslState));
  EXPECT_EQ(Send(client, "token").error_code, Wire(ErrorCode::kIllegalSaslState));
  EXPECT_TRUE(IsServed(client));
}

TEST_F(LoginTest, FramesBeforeTheLoginAreSmall) {
  StartWithLogin({.listeners = {}, .limits = {.login_bytes_max = 1000}});
  const RawClient client(port());
  SaslAuthenticateRequest large;
  const std::string token(2000, 'x');
  large.auth_bytes = token;
  client.Ask(large, kAuthenticate, 1);
  EXPECT_TRUE(client.IsEnded());

  const RawClient logged_in(port());
  EXPECT_EQ(LogIn(logged_in, {}), ErrorCode::kNone);
  logged_in.Ask(Produce(BatchOf(token)), 9, 3);
  EXPECT_TRUE(logged_in.ReadFrame().has_value());
}

TEST_F(LoginTest, WhoDoesNotLogInInTimeIsSentAway) {
  StartWithLogin({.listeners = {}, .login_timeout = absl::Milliseconds(300)});
  const RawClient silent(port());
  const RawClient half(port());
  Choose(half, kScram256);
  EXPECT_TRUE(silent.IsEnded());
  EXPECT_TRUE(half.IsEnded());
  const auto late = [this](std::string_view mechanism) {
    return broker_.metrics.ValueOf(
        base::StrCat("talosmq_kafka_logins_total{mechanism=", mechanism, ",result=late}"));
  };
  EXPECT_EQ(late("other"), 1);
  EXPECT_EQ(late(kScram256), 1);
}

// A few of them, for as long as a login may take, kept all others out.
TEST_F(LoginTest, WhoHasNotLoggedInHasFewConnections) {
  StartWithLogin({.listeners = {}, .limits = {.strangers_per_address_max = 1}});
  const RawClient logged_in(port());
  EXPECT_EQ(LogIn(logged_in, {}), ErrorCode::kNone);
  EXPECT_TRUE(IsServed(logged_in));
  const RawClient silent(port());
  RoundTrip(silent);
  EXPECT_TRUE(RawClient(port()).IsEnded());
  EXPECT_EQ(LogIn(RawClient(port(), "127.0.0.2"), {}), ErrorCode::kNone);
  EXPECT_EQ(LogIn(silent, {}), ErrorCode::kNone);
  EXPECT_TRUE(IsServed(silent));
  RoundTrip(RawClient(port()));
}

TEST_F(LoginTest, TheyAreLimitedInAll) {
  StartWithLogin({.listeners = {}, .limits = {.strangers_max = 1}});
  const RawClient silent(port());
  RoundTrip(silent);
  EXPECT_TRUE(RawClient(port(), "127.0.0.2").IsEnded());
}

// Strangers made up the names that clients are told apart by, of which there may be 100.
TEST_F(LoginTest, TheNameOfTheSoftwareCountsAfterTheLogin) {
  StartWithLogin();
  ApiVersionsRequest hello;
  hello.client_software_name = "stranger";
  hello.client_software_version = "1";
  const RawClient stranger(port());
  stranger.Ask(hello, 3, 1);
  stranger.ReadAnswer<ApiVersionsResponse>(3, 1);
  RoundTrip(stranger);
  const RawClient alice(port());
  hello.client_software_name = "shop";
  alice.Ask(hello, 3, 1);
  alice.ReadAnswer<ApiVersionsResponse>(3, 1);
  EXPECT_EQ(LogIn(alice, {}), ErrorCode::kNone);
  EXPECT_TRUE(IsServed(alice));

  const std::string_view counter = "talosmq_kafka_client_requests_total{software=";
  CountingRegistry& metrics = broker_.metrics;
  EXPECT_EQ(metrics.CountOf(base::StrCat(counter, "stranger")), 0U);
  EXPECT_EQ(metrics.ValueOf(base::StrCat(counter, "shop,software_version=1}")), 1);
}

TEST_F(LoginTest, LoginsAreCountedByMechanismAndResult) {
  StartWithLogin();
  for (const base::ScramHash hash : {base::ScramHash::kSha256, base::ScramHash::kSha512}) {
    EXPECT_EQ(LogIn(RawClient(port()), {.hash = hash}), ErrorCode::kNone);
  }
  LogIn(RawClient(port()), {.password = "wrong"});
  {
    const RawClient twice(port());
    Choose(twice, kScram512);
    Choose(twice, kScram512);
    EXPECT_TRUE(twice.IsEnded());
  }
  Choose(RawClient(port()), "GSSAPI");
  Send(RawClient(port()), "without a mechanism");
  const auto count = [this](std::string_view mechanism, std::string_view result) {
    return broker_.metrics.ValueOf(
        base::StrCat("talosmq_kafka_logins_total{mechanism=", mechanism, ",result=", result, "}"));
  };
  EXPECT_EQ(count(kScram256, "done"), 1);
  EXPECT_EQ(count(kScram256, "refused"), 1);
  EXPECT_EQ(count(kScram512, "done"), 1);
  EXPECT_EQ(count(kScram512, "refused"), 1);
  EXPECT_EQ(count("other", "refused"), 2);
  EXPECT_EQ(count("PLAIN", "refused"), 0);
  EXPECT_EQ(broker_.metrics.CountOf("talosmq_kafka_logins_total"), 16u);
}

TEST_F(LoginTest, TheEndOfAUserEndsItsConnections) {
  StartWithLogin();
  const RawClient deleted(port());
  EXPECT_EQ(LogIn(deleted, {}), ErrorCode::kNone);
  EXPECT_TRUE(IsServed(deleted));
  broker_.topics.RemoveUser("alice");
  EXPECT_FALSE(IsServed(deleted));

  broker_.topics.AddUser("alice", "correct horse");
  const RawClient made_anew(port());
  EXPECT_EQ(LogIn(made_anew, {}), ErrorCode::kNone);
  broker_.topics.AddUser("alice", "another password");
  EXPECT_FALSE(IsServed(made_anew));
}

TEST_F(LoginTest, AUserDeletedInTheMiddleOfItsLoginIsNotServed) {
  StartWithLogin();
  const RawClient client(port());
  const ScramClient scram;
  Choose(client, kScram256);
  const std::string challenge = Send(client, scram.First()).auth_bytes;
  broker_.topics.RemoveUser("alice");
  Send(client, scram.Final(challenge));
  EXPECT_FALSE(IsServed(client));
}

/// Tokens as SaslHandshake 0 has them: a size and the bytes.
class BareTokenTest : public LoginTest {
 protected:
  static void Begin(const RawClient& client, std::string_view mechanism) {
    SaslHandshakeRequest request;
    request.mechanism = mechanism;
    client.Ask(request, 0, 1);
    EXPECT_EQ(client.ReadAnswer<SaslHandshakeResponse>(0, 1).error_code, 0);
  }
  static std::string Framed(std::string_view token) {
    std::string frame(sizeof(int32_t), '\0');
    base::StoreBigEndian(reinterpret_cast<std::byte*>(frame.data()),
                         static_cast<int32_t>(token.size()));
    return frame.append(token);
  }
};

TEST_F(BareTokenTest, TheyLogIn) {
  StartWithLogin();
  const RawClient client(port());
  const ScramClient scram;
  Begin(client, kScram256);
  client.Send(Framed(scram.First()));
  const std::string challenge = client.ReadFrame().value_or("");
  client.Send(Framed(scram.Final(challenge)));
  EXPECT_EQ(client.ReadFrame().value_or("").substr(0, 2), "v=");
  EXPECT_TRUE(IsServed(client));
}

TEST_F(BareTokenTest, WrongOnesEndTheConnection) {
  StartWithLogin();
  for (const std::string& wrong : {Framed(""), Framed("x"), std::string("\xff\xff\xff\xff", 4),
                                   std::string("\x7f\xff\xff\xff", 4)}) {
    const RawClient client(port());
    Begin(client, kScram256);
    client.Send(wrong);
    EXPECT_TRUE(client.IsEnded());
  }
}

/// A port with TLS, and a client's side of it.
class TlsFrontTest : public LoginTest {
 protected:
  struct Guard {
    bool has_authority = false;
    bool asks_for_login = false;
  };
  void StartWithTls(const Guard& guard) {
    base::TlsFiles files{.ca = "",
                         .certificate = directory_.path() + "/pair.crt",
                         .key = directory_.path() + "/pair.key"};
    WriteFile(files.certificate, pair_.certificate);
    WriteFile(files.key, pair_.key);
    if (guard.has_authority) files.ca = files.certificate;
    auto tls = base::TlsWatch::Start(files, watcher_);
    ASSERT_TRUE(tls.ok()) << tls.status();
    watch_ = *tls;
    KafkaFrontOptions options;
    options.failed_login_pause = absl::Milliseconds(1);
    options.listeners = {
        {.host = "127.0.0.1", .port = 0, .tls = watch_, .asks_for_login = guard.asks_for_login}};
    StartAs(options);
  }
  static void WriteFile(const std::string& path, const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
  }
  std::unique_ptr<RawClient> Connect() {
    auto client = std::make_unique<RawClient>(port());
    EXPECT_TRUE(client->StartTls(context_.get()));
    return client;
  }
  /// Shows the certificate that the server takes for its authority, too.
  void ShowCertificate() {
    const auto material = base::ReadTlsFiles({.ca = "",
                                              .certificate = directory_.path() + "/pair.crt",
                                              .key = directory_.path() + "/pair.key"});
    ASSERT_TRUE(material.ok()) << material.status();
    context_ = (*material)->context;
  }
  static std::string Plain(std::string_view acts_for, std::string_view user,
                           std::string_view password) {
    const std::string_view zero("\0", 1);
    return base::StrCat(acts_for, zero, user, zero, password);
  }
  ErrorCode LogInPlain(const std::string& token) {
    const auto client = Connect();
    EXPECT_EQ(Choose(*client, "PLAIN").error_code, 0);
    const auto error = static_cast<ErrorCode>(Send(*client, token).error_code);
    EXPECT_EQ(IsServed(*client), error == ErrorCode::kNone);
    return error;
  }

  const support::TemporaryDirectory directory_;
  const support::CertifiedKey pair_ = support::MakeCertifiedKey();
  base::ThreadExecutor watcher_{{.name = "watcher"}};
  std::shared_ptr<base::TlsWatch> watch_;
  std::shared_ptr<SSL_CTX> context_{SSL_CTX_new(TLS_client_method()), &SSL_CTX_free};
};

TEST_F(TlsFrontTest, RequestsAndAnswersGoThroughIt) {
  StartWithTls({});
  const auto client = Connect();
  const std::string large = BatchOf(std::string(3'000'000, 'x'));
  for (const int32_t id : {1, 2, 3}) client->Ask(Produce(large), 9, id);
  for (const int32_t id : {1, 2, 3}) client->ReadAnswer<ProduceResponse>(9, id);
  FetchRequest fetch = Fetch(0, 0);
  fetch.topics[0].partitions[0].partition_max_bytes = 1 << 30;
  client->Ask(fetch, 11, 4);
  const auto fetched = client->ReadAnswer<FetchResponse>(11, 4);
  EXPECT_EQ(fetched.topics.at(0).partitions.at(0).records->bytes(), 3 * large.size());
}

TEST_F(TlsFrontTest, WhatIsNotTlsEndsTheConnection) {
  StartWithTls({});
  const RawClient client(port());
  EXPECT_FALSE(IsServed(client));
}

TEST_F(TlsFrontTest, AHandshakeThatDoesNotComeEndsTheConnection) {
  KafkaFrontOptions options;
  StartWithTls({});
  options.listeners = {{.host = "127.0.0.1", .port = 0, .tls = watch_}};
  options.piece_timeout = absl::Milliseconds(50);
  std::exchange(front_, nullptr)->Stop();
  StartAs(options);
  const RawClient client(port());
  EXPECT_TRUE(client.IsEnded());
}

TEST_F(TlsFrontTest, WithAnAuthorityClientsNeedACertificate) {
  StartWithTls({.has_authority = true});
  // TLS 1.3 tells the client after its side of the handshake.
  EXPECT_FALSE(IsServed(*Connect()));
  ShowCertificate();
  EXPECT_TRUE(IsServed(*Connect()));
}

TEST_F(TlsFrontTest, WithALoginTheyNeedNone) {
  StartWithTls({.has_authority = true, .asks_for_login = true});
  const auto client = Connect();
  EXPECT_EQ(LogIn(*client, {}), ErrorCode::kNone);
  EXPECT_TRUE(IsServed(*client));
}

TEST_F(TlsFrontTest, PlainLogsIn) {
  StartWithTls({.asks_for_login = true});
  EXPECT_THAT(Choose(*Connect(), "GSSAPI").mechanisms, ElementsAre("PLAIN", kScram256, kScram512));
  EXPECT_EQ(LogInPlain(Plain("", "alice", "correct horse")), ErrorCode::kNone);
  EXPECT_EQ(LogInPlain(Plain("alice", "alice", "correct horse")), ErrorCode::kNone);
}

// librdkafka took the answer for cut off, and said so in the place of what was wrong.
TEST_F(TlsFrontTest, TheEndIsOneInOrder) {
  StartWithTls({.asks_for_login = true});
  const auto refused = Connect();
  EXPECT_EQ(LogIn(*refused, {.password = "wrong"}), ErrorCode::kSaslAuthenticationFailed);
  EXPECT_TRUE(refused->IsEndedInOrder());
}

TEST_F(TlsFrontTest, WhoDoesNotTakeTheEndIsCutOff) {
  StartWithTls({.asks_for_login = true});
  const auto refused = Connect();
  EXPECT_EQ(LogIn(*refused, {.password = "wrong"}), ErrorCode::kSaslAuthenticationFailed);
  EXPECT_TRUE(refused->IsEndedInOrder());
  EXPECT_TRUE(refused->IsCutOff());
}

TEST_F(TlsFrontTest, WrongPlainTokensAreRefused) {
  StartWithTls({.asks_for_login = true});
  for (const std::string& token :
       {Plain("", "alice", "wrong"), Plain("", "alice", ""), Plain("", "nobody", "correct horse"),
        Plain("", "", "correct horse"), Plain("bob", "alice", "correct horse"),
        Plain("", "alice", std::string(5'000, 'x')), std::string(), std::string("alice"),
        std::string("\0alice", 6), Plain("", "alice", "correct horse").append(1, '\0')}) {
    EXPECT_EQ(LogInPlain(token), ErrorCode::kSaslAuthenticationFailed);
  }
}

TEST_F(TlsFrontTest, StopMayMeetLoginsThatAreLookedAt) {
  StartWithTls({.asks_for_login = true});
  std::vector<std::unique_ptr<RawClient>> clients;
  const std::string token = Plain("", "alice", "correct horse");
  for (int i = 0; i < 20; ++i) {
    clients.push_back(Connect());
    Choose(*clients.back(), "PLAIN");
    SaslAuthenticateRequest request;
    request.auth_bytes = token;
    clients.back()->Ask(request, kAuthenticate, 2);
  }
  std::exchange(front_, nullptr)->Stop();
  for (const auto& client : clients) {
    while (client->ReadFrame()) {
    }
    EXPECT_TRUE(client->IsEnded());
  }
}

}  // namespace
}  // namespace talosmq::kafka
