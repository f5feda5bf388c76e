#pragma once

#include "io/file_system.h"

#include <memory>
#include <string>
#include <utility>

namespace talosmq::io {

/// A descriptor that is closed when it goes. Move-only.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, kNone)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  int number() const { return number_; }

 private:
  static constexpr int kNone = -1;
  int number_;
};

/// The kernel's form of File. Thread-compatible; Read from several threads at once. Owns its
/// descriptor. Crash: what was written and not synced may be gone, in any order.
class PosixFile final : public File {
 public:
  PosixFile(std::string path, Descriptor descriptor)
      : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  absl::StatusOr<size_t> Read(uint64_t position, base::MutableByteSpan into) const override;
  absl::Status Write(uint64_t position, std::span<const base::ByteSpan> pieces) override;
  absl::Status Sync() override;
  absl::StatusOr<uint64_t> Size() const override;
  absl::Status Truncate(uint64_t size) override;
  absl::Status Preallocate(uint64_t size) override;
  absl::StatusOr<uint64_t> AllocatedBytes() const override;

 private:
  const std::string path_;
  const Descriptor descriptor_;
};

}  // namespace talosmq::io
