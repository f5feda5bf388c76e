#include "server/node_identity.h"

#include "base/crc32c.h"
#include "base/status.h"
#include "base/text.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include <nlohmann/json.hpp>

namespace talosmq::server {
namespace {

constexpr int kFormat = 2;
/// The one before had no mark of the store.
constexpr int kFormatMin = 1;
constexpr uint64_t kFileBytesMax = 64 << 10;

absl::Status Damaged(std::string_view what) { return MakeError(Reason::kCorruptData, what); }

std::string Checksum(const NodeIdentity& identity, int64_t format) {
  std::string text =
      base::StrCat(format, "\n", identity.cluster_id, "\n", identity.broker.value(), "\n",
                   identity.directory_id, "\n", identity.metadata_store, "\n",
                   identity.boot_counter, "\n", identity.is_clean ? "clean" : "running");
  if (format > kFormatMin) {
    const kv::StoreMark& store = identity.store;
    text += base::StrCat("\n", store.writes, "\n", store.manifest, "\n", store.manifest_bytes, "\n",
                         store.manifest_crc);
  }
  return absl::StrFormat("%08x", base::Crc32c(base::AsBytes(text)));
}

/// Takes typed values out of the object. The first one that is missing or of another type is kept
/// as the error.
class Fields {
 public:
  explicit Fields(const nlohmann::json& object) : object_(object) {}

  std::string Text(const char* name) {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return {};
    if (value->is_string()) return value->get<std::string>();
    Fail(name, "a string");
    return {};
  }

  int64_t Number(const char* name, int64_t max) {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return 0;
    if (value->is_number_unsigned() && value->get<uint64_t>() <= static_cast<uint64_t>(max)) {
      return value->get<int64_t>();
    }
    Fail(name, base::StrCat("a number from 0 to ", max));
    return 0;
  }

  bool Flag(const char* name) {
    const nlohmann::json* value = Find(name);
    if (value == nullptr) return false;
    if (value->is_boolean()) return value->get<bool>();
    Fail(name, "true or false");
    return false;
  }

  const absl::Status& status() const { return status_; }

 private:
  const nlohmann::json* Find(const char* name) {
    const auto found = object_.find(name);
    if (found != object_.end()) return &*found;
    status_.Update(Damaged(base::StrCat(name, " is missing")));
    return nullptr;
  }

  void Fail(const char* name, std::string_view expected) {
    status_.Update(Damaged(base::StrCat(name, " is not ", expected)));
  }

  const nlohmann::json& object_;
  absl::Status status_;
};

}  // namespace

std::string Encode(const NodeIdentity& identity) {
  const nlohmann::ordered_json object = {
      {"format", kFormat},
      {"cluster_id", identity.cluster_id},
      {"broker_id", identity.broker.value()},
      {"directory_id", identity.directory_id},
      {"metadata_store", identity.metadata_store},
      {"boot_counter", identity.boot_counter},
      {"clean_stop", identity.is_clean},
      {"store_writes", identity.store.writes},
      {"store_manifest", identity.store.manifest},
      {"store_manifest_bytes", identity.store.manifest_bytes},
      {"store_manifest_crc32c", identity.store.manifest_crc},
      {"crc32c", Checksum(identity, kFormat)},
  };
  return object.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

absl::StatusOr<NodeIdentity> DecodeNodeIdentity(std::string_view text) {
  const nlohmann::json object = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return Damaged("it is no JSON object");
  Fields fields(object);
  const int64_t format = fields.Number("format", INT32_MAX);
  TALOSMQ_RETURN_IF_ERROR(fields.status());
  if (format < kFormatMin || format > kFormat) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("it has format ", format, ", this program knows ", kFormatMin,
                                  " to ", kFormat));
  }
  NodeIdentity identity;
  identity.cluster_id = fields.Text("cluster_id");
  identity.broker = BrokerId(static_cast<int32_t>(fields.Number("broker_id", INT32_MAX)));
  identity.directory_id = fields.Text("directory_id");
  identity.metadata_store = fields.Text("metadata_store");
  identity.boot_counter = fields.Number("boot_counter", INT64_MAX);
  identity.is_clean = fields.Flag("clean_stop");
  if (format > kFormatMin) {
    identity.store.writes = fields.Number("store_writes", INT64_MAX);
    identity.store.manifest = fields.Text("store_manifest");
    identity.store.manifest_bytes = fields.Number("store_manifest_bytes", INT64_MAX);
    identity.store.manifest_crc =
        static_cast<uint32_t>(fields.Number("store_manifest_crc32c", UINT32_MAX));
  }
  const std::string checksum = fields.Text("crc32c");
  TALOSMQ_RETURN_IF_ERROR(fields.status());
  if (const std::string expected = Checksum(identity, format); checksum != expected) {
    return Damaged(base::StrCat("its values have the CRC-32C ", expected, ", crc32c says ",
                                base::Printable(checksum, 20)));
  }
  return identity;
}

absl::StatusOr<std::optional<NodeIdentity>> LoadNodeIdentity(io::FileSystem& file_system,
                                                             const std::string& path) {
  TALOSMQ_ASSIGN_OR_RETURN(const bool exists, file_system.Exists(path));
  if (!exists) return std::optional<NodeIdentity>();
  TALOSMQ_ASSIGN_OR_RETURN(const std::string text, io::ReadFile(file_system, path, kFileBytesMax));
  absl::StatusOr<NodeIdentity> identity = DecodeNodeIdentity(text);
  if (!identity.ok()) return base::Annotate(identity.status(), path);
  return std::optional<NodeIdentity>(*std::move(identity));
}

absl::Status SaveNodeIdentity(io::FileSystem& file_system, const std::string& path,
                              const NodeIdentity& identity) {
  return io::WriteFileAtomically(file_system, path, base::AsBytes(Encode(identity)));
}

}  // namespace talosmq::server
