#include "metadata/embedded/kv_layout.h"

#include "base/bytes.h"
#include "base/status.h"
#include "base/text.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"

#include <array>
#include <optional>

namespace talosmq::metadata {
namespace {

constexpr size_t kNumberBytes = sizeof(int64_t);
constexpr size_t kKeyShown = 300;  ///< Characters of a key in a message.

absl::Status Corrupt(const kv::Entry& stored, std::string_view problem) {
  return MakeError(Reason::kCorruptData,
                   base::StrCat("embedded metadata, key ", base::Printable(stored.key, kKeyShown),
                                ": ", problem));
}

/// Appends numbers to a value behind its version byte.
class ValueWriter {
 public:
  ValueWriter& Number(int64_t number) {
    std::array<std::byte, kNumberBytes> bytes{};
    base::StoreBigEndian(bytes.data(), number);
    value_ += base::AsText(bytes);
    return *this;
  }
  std::string Take() { return std::move(value_); }

 private:
  std::string value_ = std::string(1, kKvVersion);
};

/// The numbers after the version byte of a value, and what follows them.
template <size_t kCount>
struct DecodedValue {
  std::array<int64_t, kCount> numbers{};
  std::string_view rest;
};

template <size_t kCount>
absl::StatusOr<DecodedValue<kCount>> DecodeNumbers(const kv::Entry& stored) {
  constexpr size_t kBytesMin = 1 + kCount * kNumberBytes;
  if (stored.value.size() < kBytesMin) {
    return Corrupt(stored, base::StrCat("expected at least ", kBytesMin, " bytes, found ",
                                        stored.value.size()));
  }
  if (stored.value.front() != kKvVersion) {
    return MakeError(Reason::kUnsupportedVersion,
                     base::StrCat("embedded metadata, key ", base::Printable(stored.key, kKeyShown),
                                  ": expected version ", int{kKvVersion}, ", found ",
                                  int{static_cast<unsigned char>(stored.value.front())}));
  }
  DecodedValue<kCount> decoded;
  const base::ByteSpan bytes = base::AsBytes(stored.value);
  for (size_t i = 0; i < kCount; ++i) {
    decoded.numbers[i] = base::LoadBigEndian<int64_t>(&bytes[1 + i * kNumberBytes]);
    if (decoded.numbers[i] < 0) {
      return Corrupt(stored,
                     base::StrCat("expected a number from 0 up, found ", decoded.numbers[i]));
    }
  }
  decoded.rest = std::string_view(stored.value).substr(kBytesMin);
  return decoded;
}

absl::Status CheckNothingFollows(const kv::Entry& stored, std::string_view rest) {
  if (rest.empty()) return absl::OkStatus();
  return Corrupt(stored, base::StrCat("expected no more bytes, found ", rest.size()));
}

}  // namespace

std::string KvLayout::EntryKey(std::string_view key) const {
  return base::StrCat(EntriesPrefix(), key);
}

std::string KvLayout::LeaseKey(LeaseId lease) const {
  return base::StrCat(LeasesPrefix(), absl::StrFormat("%016x", static_cast<int64_t>(lease)));
}

std::string KvLayout::EncodeHead(const KvHead& head) {
  return ValueWriter()
      .Number(static_cast<int64_t>(head.revision))
      .Number(static_cast<int64_t>(head.last_lease))
      .Take();
}

std::string KvLayout::EncodeEntry(const KeyValue& entry) {
  return ValueWriter()
             .Number(static_cast<int64_t>(entry.create_revision))
             .Number(static_cast<int64_t>(entry.mod_revision))
             .Number(static_cast<int64_t>(entry.lease))
             .Take() +
         entry.value;
}

std::string KvLayout::EncodeLease(const StoredLease& lease) {
  return ValueWriter().Number(absl::ToInt64Milliseconds(lease.time_to_live)).Take();
}

absl::StatusOr<KvHead> KvLayout::DecodeHead(const kv::Entry& stored) {
  TALOSMQ_ASSIGN_OR_RETURN(const auto decoded, DecodeNumbers<2>(stored));
  TALOSMQ_RETURN_IF_ERROR(CheckNothingFollows(stored, decoded.rest));
  return KvHead{.revision = static_cast<Revision>(decoded.numbers[0]),
                .last_lease = static_cast<LeaseId>(decoded.numbers[1])};
}

absl::StatusOr<KeyValue> KvLayout::DecodeEntry(const kv::Entry& stored) const {
  TALOSMQ_ASSIGN_OR_RETURN(const auto decoded, DecodeNumbers<3>(stored));
  return KeyValue{.key = stored.key.substr(EntriesPrefix().size()),
                  .value = std::string(decoded.rest),
                  .create_revision = static_cast<Revision>(decoded.numbers[0]),
                  .mod_revision = static_cast<Revision>(decoded.numbers[1]),
                  .lease = static_cast<LeaseId>(decoded.numbers[2])};
}

absl::StatusOr<StoredLease> KvLayout::DecodeLease(const kv::Entry& stored) const {
  TALOSMQ_ASSIGN_OR_RETURN(const auto decoded, DecodeNumbers<1>(stored));
  TALOSMQ_RETURN_IF_ERROR(CheckNothingFollows(stored, decoded.rest));
  const std::string_view id = std::string_view(stored.key).substr(LeasesPrefix().size());
  int64_t number = 0;
  if (!absl::SimpleHexAtoi(base::ToAbsl(id), &number)) {
    return Corrupt(stored, "expected a lease id of 16 hex digits at its end");
  }
  return StoredLease{.id = static_cast<LeaseId>(number),
                     .time_to_live = absl::Milliseconds(decoded.numbers[0])};
}

}  // namespace talosmq::metadata
