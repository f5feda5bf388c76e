#include "rpc/staged_certificates.h"

#include "base/status.h"
#include "base/text.h"
#include "base/tls_watch.h"
#include "talosmq/error.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace talosmq::rpc {
namespace {

absl::Status Failed(const char* call) {
  return MakeError(Reason::kInternal,
                   base::StrCat("certificates in memory: ", call, ": ", std::strerror(errno)));
}

absl::Status WriteWhole(int descriptor, const std::string& text) {
  for (size_t done = 0; done < text.size();) {
    const ssize_t count = write(descriptor, text.data() + done, text.size() - done);
    if (count < 0) return Failed("write");
    done += static_cast<size_t>(count);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<MemoryFile>> MemoryFile::Create() {
  const int descriptor = memfd_create("talosmq-tls", MFD_CLOEXEC);
  if (descriptor < 0) return Failed("memfd_create");
  return std::unique_ptr<MemoryFile>(new MemoryFile(descriptor));
}

MemoryFile::~MemoryFile() { close(descriptor_); }

absl::Status MemoryFile::Replace(const std::string& text) {
  TALOSMQ_ASSIGN_OR_RETURN(const std::unique_ptr<MemoryFile> next, Create());
  TALOSMQ_RETURN_IF_ERROR(WriteWhole(next->descriptor_, text));
  if (dup3(next->descriptor_, descriptor_, O_CLOEXEC) < 0) return Failed("dup3");
  return absl::OkStatus();
}

std::string MemoryFile::path() const { return base::StrCat("/proc/self/fd/", descriptor_); }

absl::StatusOr<std::shared_ptr<StagedCertificates>> StagedCertificates::Create(
    const base::TlsMaterial& material) {
  const std::shared_ptr<StagedCertificates> staged(new StagedCertificates());
  if (!material.ca.empty()) {
    TALOSMQ_ASSIGN_OR_RETURN(staged->ca_, MemoryFile::Create());
  }
  TALOSMQ_ASSIGN_OR_RETURN(staged->identity_, MemoryFile::Create());
  TALOSMQ_RETURN_IF_ERROR(staged->Replace(material));
  const std::string identity = staged->identity_path();
  if (access(identity.c_str(), R_OK) != 0) return Failed("/proc/self/fd");
  staged->watcher_ = std::make_unique<grpc::experimental::FileWatcherCertificateProvider>(
      identity, identity, staged->ca_ == nullptr ? std::string() : staged->ca_->path(),
      static_cast<unsigned>(absl::ToInt64Seconds(base::kTlsReloadInterval)));
  return staged;
}

absl::Status StagedCertificates::Replace(const base::TlsMaterial& material) {
  if (ca_ != nullptr) TALOSMQ_RETURN_IF_ERROR(ca_->Replace(material.ca));
  return identity_->Replace(base::IdentityOf(material));
}

}  // namespace talosmq::rpc
