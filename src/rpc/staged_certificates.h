#pragma once

#include "base/tls_files.h"

#include "absl/status/statusor.h"
#include <grpcpp/security/tls_certificate_provider.h>

#include <memory>
#include <string>

namespace talosmq::rpc {

/// A file in memory under a path of its own, which somebody else of this process reads.
/// Thread-safe: whoever opens it meanwhile gets the old text or the new, each as a whole.
class MemoryFile {
 public:
  /// kInternal when the kernel gives no descriptor.
  static absl::StatusOr<std::unique_ptr<MemoryFile>> Create();
  ~MemoryFile();
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  absl::Status Replace(const std::string& text);
  std::string path() const;

 private:
  explicit MemoryFile(int descriptor) : descriptor_(descriptor) {}

  const int descriptor_;
};

/// Certificates for gRPC, which takes changing ones from files only, and would take those that do
/// not fit together, after which nobody can connect. So it is shown files in memory, into which
/// only checked ones come.
///
/// Invariant: key and certificate change in one step. gRPC reads them one after the other and takes
/// them when neither file's time of change, in seconds, has changed meanwhile; so they lie in one
/// file, and two replacements are a second apart.
/// Thread-safe. Shared by gRPC and by who brings new ones.
class StagedCertificates final : public grpc::experimental::CertificateProviderInterface {
 public:
  static absl::StatusOr<std::shared_ptr<StagedCertificates>> Create(
      const base::TlsMaterial& material);

  absl::Status Replace(const base::TlsMaterial& material);
  /// Where gRPC finds key and certificate both.
  std::string identity_path() const { return identity_->path(); }
  grpc_tls_certificate_provider* c_provider() override { return watcher_->c_provider(); }

 private:
  StagedCertificates() = default;

  std::unique_ptr<MemoryFile> ca_;  ///< Null without an authority.
  std::unique_ptr<MemoryFile> identity_;
  std::unique_ptr<grpc::experimental::FileWatcherCertificateProvider> watcher_;
};

}  // namespace talosmq::rpc
