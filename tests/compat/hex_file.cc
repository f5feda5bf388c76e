#include "compat/hex_file.h"

#include "gtest/gtest.h"

#include <cctype>
#include <fstream>
#include <iterator>
#include <sstream>

namespace talosmq::compat {
namespace {

int Digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  ADD_FAILURE() << "not a hex digit: '" << c << "'";
  return 0;
}

}  // namespace

std::string BytesOfHex(std::string_view text) {
  std::istringstream lines{std::string(text)};
  std::string bytes;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream pairs(line.substr(0, line.find_first_of("#;")));
    for (std::string pair; pairs >> pair;) {
      EXPECT_EQ(pair.size(), 2u) << pair;
      if (pair.size() == 2) bytes += static_cast<char>(Digit(pair[0]) * 16 + Digit(pair[1]));
    }
  }
  return bytes;
}

std::string ReadRepositoryFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path << ": run the test from the top of the repository";
  return std::string((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
}

std::string FencedBlock(std::string_view page, std::string_view kind) {
  const std::string opening = "```" + std::string(kind) + "\n";
  const size_t begin = page.find(opening);
  if (begin == std::string_view::npos) {
    ADD_FAILURE() << "no block marked " << kind;
    return "";
  }
  const std::string_view rest = page.substr(begin + opening.size());
  return std::string(rest.substr(0, rest.find("```")));
}

}  // namespace talosmq::compat
