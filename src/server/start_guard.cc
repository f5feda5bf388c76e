#include "server/start_guard.h"

#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include "absl/strings/str_format.h"
#include <nlohmann/json.hpp>

#include <optional>
#include <string_view>

namespace talosmq::server {
namespace {

constexpr int kFormat = 2;  // The one before had no checksum.
constexpr uint64_t kFileBytesMax = 64 << 10;
constexpr size_t kWordsBytesMax = 1000;

struct FailedStarts {
  int64_t count = 0;
  std::string last_error;
};

/// A digit that flipped on the disk would be a valid one.
std::string Checksum(const FailedStarts& starts) {
  const std::string text = base::StrCat(kFormat, "\n", starts.count, "\n", starts.last_error);
  return absl::StrFormat("%08x", base::Crc32c(base::AsBytes(text)));
}

std::optional<FailedStarts> Decode(std::string_view text) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return std::nullopt;
  const auto count = object.find("failed_starts");
  const auto error = object.find("last_error");
  const auto checksum = object.find("crc32c");
  const bool is_whole = count != object.end() && count->is_number_unsigned() &&
                        error != object.end() && error->is_string() && checksum != object.end();
  if (!is_whole) return std::nullopt;
  const FailedStarts starts{.count = count->get<int64_t>(),
                            .last_error = error->get<std::string>()};
  if (*checksum != Checksum(starts)) return std::nullopt;
  return starts;
}

FailedStarts Load(io::FileSystem& file_system, const std::string& path) {
  const auto text = io::ReadFile(file_system, path, kFileBytesMax);
  if (absl::IsNotFound(text.status())) return {};
  if (const auto starts = text.ok() ? Decode(*text) : std::nullopt) return *starts;
  base::LogWarning("server", path, " cannot be read and counts as no failed start; found ",
                   text.ok() ? base::Printable(*text, 100) : text.status().ToString());
  return {};
}

/// Nothing in the data directory brings it about, so that trying again does no harm.
bool IsOfTheSurroundings(const absl::Status& failure) {
  const Reason reason = ReasonOf(failure);
  return reason == Reason::kInvalidConfig || reason == Reason::kUnavailable;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StartGuard>> StartGuard::Begin(io::FileSystem& file_system,
                                                              const std::string& data_directory) {
  const std::string path = base::StrCat(data_directory, "/", kFileName);
  const FailedStarts before = Load(file_system, path);
  if (before.count >= kFailedStartsMax) {
    return MakeError(Reason::kUnavailable,
                     base::StrCat(path, ": ", before.count,
                                  " starts in a row failed before the server was ready, the last "
                                  "one: ",
                                  before.last_error,
                                  ". Nothing was changed. Look into that and the log of those "
                                  "starts; to start again, remove this file"));
  }
  auto guard = std::unique_ptr<StartGuard>(new StartGuard(file_system, path, before.count));
  TALOSMQ_RETURN_IF_ERROR(
      guard->Save(before.count + 1, "it ended without a word: killed, crashed or out of time"));
  return guard;
}

absl::Status StartGuard::NoteReady() { return Remove(); }

absl::Status StartGuard::NoteFailed(const absl::Status& why) {
  const int64_t failed = IsOfTheSurroundings(why) ? failed_before_ : failed_before_ + 1;
  if (failed == 0) return Remove();
  return Save(failed, base::Printable(base::FromAbsl(why.message()), kWordsBytesMax));
}

absl::Status StartGuard::Save(int64_t failed_starts, const std::string& last_error) {
  const nlohmann::ordered_json object = {
      {"format", kFormat},
      {"failed_starts", failed_starts},
      {"last_error", last_error},
      {"crc32c", Checksum({.count = failed_starts, .last_error = last_error})}};
  return io::WriteFileAtomically(
      file_system_, path_,
      base::AsBytes(object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"));
}

absl::Status StartGuard::Remove() {
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(path_));
  if (!exists) return absl::OkStatus();
  TALOSMQ_RETURN_IF_ERROR(file_system_.Remove(path_));
  return file_system_.SyncDirectory(io::ParentDirectory(path_));
}

}  // namespace talosmq::server
