// Any bytes as node.json, first as they are, then with the right checksum, so that the search gets
// behind it; and as failed-starts.json: whatever it says, five starts later no more are let
// through.

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "server/node_identity.h"
#include "server/start_guard.h"
#include "support/memory_file_system.h"

#include <nlohmann/json.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace talosmq::server {
namespace {

constexpr std::string_view kDirectory = "/data";

void CheckNodeIdentity(std::string_view text) {
  const auto identity = DecodeNodeIdentity(text);
  if (!identity.ok()) return;
  const auto again = DecodeNodeIdentity(Encode(*identity));
  TALOSMQ_CHECK(again.ok()) << again.status();
  TALOSMQ_CHECK(*again == *identity);
}

/// With the checksum that the error names, when it is the only thing that is wrong.
std::string Seal(std::string_view text) {
  constexpr std::string_view kExpected = "the CRC-32C ";
  const std::string error(DecodeNodeIdentity(text).status().message());
  const size_t expected = error.find(kExpected);
  if (expected == std::string::npos) return std::string(text);
  nlohmann::json object = nlohmann::json::parse(text);
  object["crc32c"] = error.substr(expected + kExpected.size(), 8);
  return object.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void CheckFailedStarts(base::ByteSpan bytes) {
  support::MemoryFileSystem files;
  const std::string directory(kDirectory);
  TALOSMQ_CHECK(files.MakeDirectories(directory).ok());
  TALOSMQ_CHECK(
      io::WriteFileAtomically(files, directory + "/" + StartGuard::kFileName, bytes).ok());
  for (int64_t i = 0; i < StartGuard::kFailedStartsMax; ++i) {
    if (!StartGuard::Begin(files, directory).ok()) return;
  }
  TALOSMQ_CHECK(!StartGuard::Begin(files, directory).ok());
}

}  // namespace
}  // namespace talosmq::server

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const talosmq::base::ByteSpan bytes = std::as_bytes(std::span(data, size));
  const std::string_view text = talosmq::base::AsText(bytes);
  talosmq::server::CheckNodeIdentity(text);
  talosmq::server::CheckNodeIdentity(talosmq::server::Seal(text));
  talosmq::server::CheckFailedStarts(bytes);
  return 0;
}
