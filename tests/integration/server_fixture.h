#pragma once

#include "support/server_process.h"
#include "support/temporary_directory.h"

#include "gtest/gtest.h"

#include <string>

namespace talosmq {

/// One server for all tests of a suite, which have a topic each. Its program is
/// TALOSMQ_SERVER_PROGRAM, which the build defines.
class ServerTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    directory_ = new support::TemporaryDirectory();
    auto server = support::ServerProcess::Start({.program = TALOSMQ_SERVER_PROGRAM,
                                                 .data_dir = directory_->path() + "/data",
                                                 .arguments = {}});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = server->release();
  }
  static void TearDownTestSuite() {
    delete server_;
    delete directory_;
  }

  static inline support::TemporaryDirectory* directory_ = nullptr;
  static inline support::ServerProcess* server_ = nullptr;
  std::string topic_ = testing::UnitTest::GetInstance()->current_test_info()->name();
};

}  // namespace talosmq
