#include "tests/testing/golden_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <vector>

namespace bitplan::testing {
namespace {

bool ShouldUpdate() {
  const std::vector<std::string> arguments = ::testing::internal::GetArgvs();
  return std::ranges::count(arguments, "--update_golden") > 0;
}

}  // namespace

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.good()) << "cannot read " << path;
  std::stringstream bytes;
  bytes << file.rdbuf();
  return bytes.str();
}

void ExpectGolden(std::string_view actual, const std::string& path) {
  if (ShouldUpdate()) {
    std::ofstream(path, std::ios::binary) << actual;
    return;
  }
  EXPECT_EQ(std::string(actual), ReadFile(path)) << "rewrite with --update_golden if the change is meant";
}

}  // namespace bitplan::testing
