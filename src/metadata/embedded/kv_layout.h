#pragma once

#include "kv/store.h"
#include "metadata/store_state.h"

#include "absl/status/statusor.h"

#include <string>
#include <string_view>

namespace talosmq::metadata {

// How the embedded store lies in its kv store; docs/formats/metadata.md has the byte tables. All
// keys begin with a prefix of the store's own; below it:
//
//   head         version, revision, last lease id
//   key/KEY      version, create revision, mod revision, lease id, value
//   lease/ID     version, time to live in ms; ID: 16 hex digits
//
// Numbers are 8 bytes, big-endian. Values that cannot be read are kCorruptData and name the key.

inline constexpr char kKvVersion = 1;

/// What the head says.
struct KvHead {
  Revision revision = Revision::kNone;
  LeaseId last_lease = LeaseId::kNone;
};

/// Keys and values of one embedded store. Immutable.
class KvLayout {
 public:
  explicit KvLayout(std::string prefix) : prefix_(std::move(prefix)) {}

  std::string HeadKey() const { return prefix_ + "head"; }
  std::string EntriesPrefix() const { return prefix_ + "key/"; }
  std::string LeasesPrefix() const { return prefix_ + "lease/"; }
  std::string EntryKey(std::string_view key) const;
  std::string LeaseKey(LeaseId lease) const;

  static std::string EncodeHead(const KvHead& head);
  static std::string EncodeEntry(const KeyValue& entry);
  static std::string EncodeLease(const StoredLease& lease);

  static absl::StatusOr<KvHead> DecodeHead(const kv::Entry& stored);
  absl::StatusOr<KeyValue> DecodeEntry(const kv::Entry& stored) const;
  absl::StatusOr<StoredLease> DecodeLease(const kv::Entry& stored) const;

 private:
  const std::string prefix_;
};

}  // namespace talosmq::metadata
