#include "server/data_directory.h"

#include "base/status.h"
#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <utility>

namespace talosmq::server {
namespace {

constexpr int kListenersFormat = 1;

std::string NewId(base::Random& random) { return base::NewTopicId(random).ToString(); }

}  // namespace

absl::StatusOr<std::unique_ptr<DataDirectory>> DataDirectory::Open(
    io::FileSystem& file_system, std::string path, const std::string& metadata_store,
    base::Random& random) {
  TALOSMQ_RETURN_IF_ERROR(file_system.MakeDirectories(path));
  auto directory = std::unique_ptr<DataDirectory>(new DataDirectory(file_system, std::move(path)));
  const std::string lock_path = directory->path_ + "/lock";
  auto lock = file_system.Lock(lock_path);
  if (!lock.ok()) {
    return base::Annotate(lock.status(),
                          base::StrCat("data directory ", directory->path_, " is in use"));
  }
  directory->lock_ = *std::move(lock);
  TALOSMQ_RETURN_IF_ERROR(directory->ReadOrMakeIdentity(metadata_store, random));
  // One that a killed server left would send clients to a port that may be anybody's.
  TALOSMQ_RETURN_IF_ERROR(directory->RemoveListeners());
  return directory;
}

absl::Status DataDirectory::ReadOrMakeIdentity(const std::string& metadata_store,
                                               base::Random& random) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto found, LoadNodeIdentity(file_system_, node_path()));
  if (found.has_value()) {
    identity_ = *found;
    if (identity_.metadata_store == metadata_store) return absl::OkStatus();
    return MakeError(Reason::kInvalidConfig,
                     base::StrCat("metadata.store is ", metadata_store, ", but ", node_path(),
                                  " says that this directory uses ", identity_.metadata_store));
  }
  TALOSMQ_RETURN_IF_ERROR(CheckAbsent({"kv", "topics"}, base::StrCat(node_path(), " is missing")));
  identity_ = {.cluster_id = NewId(random),
               .broker = BrokerId(0),
               .directory_id = NewId(random),
               .metadata_store = metadata_store,
               .boot_counter = 0,
               .is_clean = true};
  return SaveNodeIdentity(file_system_, node_path(), identity_);
}

absl::Status DataDirectory::CheckAbsent(const std::vector<const char*>& folders,
                                        std::string_view missing) const {
  std::string present;
  for (const char* folder : folders) {
    TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(path_ + "/" + folder));
    if (exists) present += base::StrCat(present.empty() ? "" : " and ", path_, "/", folder);
  }
  if (present.empty()) return absl::OkStatus();
  return MakeError(Reason::kCorruptData,
                   base::StrCat(missing, ", but ", present,
                                " is there; nothing was changed. Put "
                                "back what is missing, or move the data away to begin anew"));
}

absl::Status DataDirectory::CheckAgainst(const std::optional<StoredBoot>& stored,
                                         OldCopy old_copy) const {
  if (!stored.has_value()) {
    return CheckAbsent({"topics"}, base::StrCat("the metadata store in ", kv_path(), " is empty"));
  }
  if (stored->cluster_id != identity_.cluster_id) {
    return MakeError(
        Reason::kCorruptData,
        base::StrCat(node_path(), " belongs to cluster ", identity_.cluster_id,
                     ", the metadata store in ", kv_path(), " to cluster ", stored->cluster_id));
  }
  if (stored->directory_id != identity_.directory_id) {
    return MakeError(Reason::kCorruptData,
                     base::StrCat(node_path(), " is of directory ", identity_.directory_id,
                                  ", the metadata store in ", kv_path(), " knows directory ",
                                  stored->directory_id));
  }
  if (stored->boot_counter <= identity_.boot_counter || old_copy == OldCopy::kAccept) {
    return absl::OkStatus();
  }
  return MakeError(
      Reason::kCorruptData,
      base::StrCat(node_path(), " has seen ", identity_.boot_counter,
                   " starts, the metadata store ", stored->boot_counter, ": a part of ", path_,
                   " was put back from an older copy, and records acknowledged since may be "
                   "missing. To start with what is there, set "
                   "recovery.accept_restored_copy: true once"));
}

absl::Status DataDirectory::BeginBoot(int64_t stored_boot_counter) {
  NodeIdentity raised = identity_;
  raised.boot_counter = std::max(identity_.boot_counter, stored_boot_counter) + 1;
  raised.is_clean = false;
  TALOSMQ_RETURN_IF_ERROR(SaveNodeIdentity(file_system_, node_path(), raised));
  identity_ = std::move(raised);
  return absl::OkStatus();
}

absl::Status DataDirectory::NoteStore(const kv::StoreMark& mark) {
  if (mark == identity_.store) return absl::OkStatus();
  NodeIdentity noted = identity_;
  noted.store = mark;
  TALOSMQ_RETURN_IF_ERROR(SaveNodeIdentity(file_system_, node_path(), noted));
  identity_ = std::move(noted);
  return absl::OkStatus();
}

absl::Status DataDirectory::DescribeStoreError(const absl::Status& status) const {
  if (identity_.store.writes == 0) return status;
  return base::Annotate(
      status, base::StrCat(node_path(), " says that this directory has a metadata store in ",
                           kv_path(), ", which cannot be used; no log and no file of it was ",
                           "changed. Put back the whole directory, or move it away to begin anew; "
                           "if only its newest writes are missing, recovery.accept_restored_copy: "
                           "true starts once with what is there"));
}

absl::Status DataDirectory::WriteListeners(const ListenerPorts& ports) {
  const nlohmann::ordered_json object = {{"format", kListenersFormat},
                                         {"grpc", ports.grpc},
                                         {"http", ports.http},
                                         {"kafka", ports.kafka}};
  return io::WriteFileAtomically(file_system_, listeners_path(),
                                 base::AsBytes(object.dump(2) + "\n"));
}

absl::Status DataDirectory::RemoveListeners() {
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system_.Exists(listeners_path()));
  return exists ? file_system_.Remove(listeners_path()) : absl::OkStatus();
}

absl::Status DataDirectory::MarkCleanStop() {
  TALOSMQ_RETURN_IF_ERROR(RemoveListeners());
  NodeIdentity stopped = identity_;
  stopped.is_clean = true;
  TALOSMQ_RETURN_IF_ERROR(SaveNodeIdentity(file_system_, node_path(), stopped));
  identity_ = std::move(stopped);
  return absl::OkStatus();
}

}  // namespace talosmq::server
