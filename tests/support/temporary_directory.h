#pragma once

#include <filesystem>
#include <string>

namespace talosmq::support {

/// A new empty directory that is removed with all that is in it. Thread-compatible.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace talosmq::support
