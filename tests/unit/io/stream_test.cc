#include "io/stream.h"

#include "base/bytes.h"
#include "talosmq/error.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

namespace talosmq::io {
namespace {

/// Two ends of a pipe, closed when it goes.
class Pipe {
 public:
  Pipe() { EXPECT_EQ(::pipe2(ends_.data(), O_CLOEXEC), 0); }
  ~Pipe() {
    CloseReader();
    CloseWriter();
  }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseReader() { Close(ends_[0]); }
  void CloseWriter() { Close(ends_[1]); }

 private:
  static void Close(int& end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  std::array<int, 2> ends_{};
};

absl::StatusOr<std::string> ReadSome(InputStream& stream) {
  std::array<std::byte, 64> block{};
  const absl::StatusOr<size_t> count = stream.Read(block);
  if (!count.ok()) return count.status();
  return std::string(base::AsText(base::ByteSpan(block).first(*count)));
}

std::string PathOf(int descriptor) { return "/proc/self/fd/" + std::to_string(descriptor); }

TEST(InputStreamTest, MissingFileIsToldByItsPath) {
  const auto stream = InputStream::Open("/nowhere/at/all", kNeverStops);
  ASSERT_FALSE(stream.ok());
  EXPECT_THAT(std::string(stream.status().message()), testing::HasSubstr("/nowhere/at/all"));
}

TEST(InputStreamTest, DirectoryIsRefusedWhenItIsRead) {
  const auto stream = InputStream::Open("/", kNeverStops);
  ASSERT_TRUE(stream.ok());
  EXPECT_FALSE(ReadSome(**stream).ok());
}

TEST(InputStreamTest, StopEndsAWaitForBytes) {
  Pipe input;
  Pipe stop;
  const auto stream = InputStream::Open(PathOf(input.reader()), stop.reader());
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_EQ(::write(stop.writer(), "x", 1), 1);
  EXPECT_EQ(ReasonOf(ReadSome(**stream).status()), Reason::kCancelled);
}

TEST(InputStreamTest, PipeIsReadToItsEnd) {
  Pipe input;
  const auto stream = InputStream::Open(PathOf(input.reader()), kNeverStops);
  ASSERT_TRUE(stream.ok()) << stream.status();
  ASSERT_EQ(::write(input.writer(), "abc", 3), 3);
  EXPECT_EQ(*ReadSome(**stream), "abc");
  input.CloseWriter();
  EXPECT_EQ(*ReadSome(**stream), "");
}

TEST(InputStreamTest, FileIsReadToItsEnd) {
  const std::string path =
      testing::TempDir() + "/talosmq-stream-test." + std::to_string(::getpid());
  std::ofstream(path) << "line";
  const auto stream = InputStream::Open(path, kNeverStops);
  ASSERT_TRUE(stream.ok()) << stream.status();
  EXPECT_EQ(*ReadSome(**stream), "line");
  EXPECT_EQ(*ReadSome(**stream), "");
  std::filesystem::remove(path);
}

TEST(OutputStreamTest, ReaderThatHasGoneIsToldAsClosed) {
  ASSERT_NE(std::signal(SIGPIPE, SIG_IGN), SIG_ERR);
  Pipe pipe;
  pipe.CloseReader();
  EXPECT_EQ(ReasonOf(OutputStream(pipe.writer()).Write("x")), Reason::kClosed);
}

TEST(OutputStreamTest, WhatIsWrittenArrives) {
  Pipe pipe;
  OutputStream out(pipe.writer());
  ASSERT_TRUE(out.Write("hello").ok());
  std::array<char, 8> got{};
  EXPECT_EQ(::read(pipe.reader(), got.data(), got.size()), 5);
  EXPECT_STREQ(got.data(), "hello");
  EXPECT_FALSE(out.IsTerminal());
}

}  // namespace
}  // namespace talosmq::io
