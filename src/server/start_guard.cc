#include "server/start_guard.h"

#include "base/log.h"
#include "base/status.h"
#include "base/text.h"
#include "talosmq/error.h"

#include <nlohmann/json.hpp>

namespace talosmq::server {
namespace {

constexpr int kFormat = 1;
constexpr uint64_t kFileBytesMax = 64 << 10;
constexpr size_t kWordsBytesMax = 1000;

struct FailedStarts {
  int64_t count = 0;
  std::string last_error;
};

FailedStarts Decode(const std::string& text, const std::string& path) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (object.is_object()) {
    const auto count = object.find("failed_starts");
    const auto error = object.find("last_error");
    if (count != object.end() && count->is_number_unsigned() && error != object.end() &&
        error->is_string()) {
      return {.count = count->get<int64_t>(), .last_error = error->get<std::string>()};
    }
  }
  base::LogWarning("server", path, " cannot be read and counts as no failed start; found ",
                   base::Printable(text, 100));
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
  FailedStarts before;
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(path));
  if (exists) {
    TALOSMQ_ASSIGN_OR_RETURN(const std::string text,
                             io::ReadFile(file_system, path, kFileBytesMax));
    before = Decode(text, path);
  }
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
      {"format", kFormat}, {"failed_starts", failed_starts}, {"last_error", last_error}};
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
