#pragma once

#include <string>
#include <string_view>

namespace talosmq::compat {

/// The bytes of a text of hex pairs, in which '#' and ';' begin a remark up to the end of the line.
/// Fails the running test for anything else.
std::string BytesOfHex(std::string_view text);

/// The content of a file, by its path from the top of the repository; fails the running test when
/// it cannot be read.
std::string ReadRepositoryFile(const std::string& path);

/// The first fenced block of a page that is marked as `kind`, without its fences.
std::string FencedBlock(std::string_view page, std::string_view kind);

}  // namespace talosmq::compat
