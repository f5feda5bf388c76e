#include "rpc/staged_certificates.h"

#include "base/tls_files.h"
#include "support/certificate.h"
#include "support/temporary_directory.h"

#include "gtest/gtest.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <string>

namespace talosmq::rpc {
namespace {

class StagedCertificatesTest : public testing::Test {
 protected:
  std::shared_ptr<const base::TlsMaterial> Material(const std::string& certificate,
                                                    const std::string& key) {
    const base::TlsFiles files{.ca = "",
                               .certificate = directory_.path() + "/own.pem",
                               .key = directory_.path() + "/own.key"};
    std::ofstream(files.certificate) << certificate;
    std::ofstream(files.key) << key;
    auto material = base::ReadTlsFiles(files);
    EXPECT_TRUE(material.ok()) << material.status();
    return *material;
  }

  static std::string TextOf(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  const support::CertifiedKey first_ = support::MakeCertifiedKey();
  const support::CertifiedKey second_ = support::MakeCertifiedKey();
  const support::TemporaryDirectory directory_;
};

// In files of their own, gRPC could meet the new certificate before the new key.
TEST_F(StagedCertificatesTest, OneReadingGivesTheNewKeyWithTheNewCertificate) {
  const auto staged = StagedCertificates::Create(*Material(first_.certificate, first_.key));
  ASSERT_TRUE(staged.ok()) << staged.status();
  const auto second = Material(second_.certificate, second_.key);
  ASSERT_TRUE((*staged)->Replace(*second).ok());
  EXPECT_EQ(TextOf((*staged)->identity_path()), base::IdentityOf(*second));
}

TEST_F(StagedCertificatesTest, ReaderFindsKeyAndCertificateInOneFile) {
  // Files as some keep them: certificates beside the key, and a key beside the certificates.
  const std::string certificate = second_.key + first_.certificate;
  const std::string key = second_.certificate + first_.key;
  const auto staged = StagedCertificates::Create(*Material(certificate, key));
  ASSERT_TRUE(staged.ok()) << staged.status();
  const std::string path = (*staged)->identity_path();
  const auto found = base::ReadTlsFiles({.ca = "", .certificate = path, .key = path});
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(base::IdentityOf(**found).find(second_.certificate), std::string::npos);
}

}  // namespace
}  // namespace talosmq::rpc
