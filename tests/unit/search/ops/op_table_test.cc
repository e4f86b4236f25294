#include "search/ops/op_table.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "tests/testing/golden_file.h"

namespace bitplan::ops {
namespace {

constexpr int64_t kOldestRead = 9;  // onnx::kMinOpset

// "| Conv | 9 to 23 |" of "| Conv | 9 to 23 | conv | 1-D to 3-D |".
std::string FirstColumns(const std::string& line) {
  size_t end = 0;
  for (int bars = 0; end < line.size() && bars < 3; ++end) bars += line[end] == '|' ? 1 : 0;
  return line.substr(0, end);
}

TEST(OpTable, IsWhatTheDocumentationSays) {
  std::vector<std::string> documented;
  std::istringstream page(testing::ReadFile(std::string(BITPLAN_SOURCE_DIR) + "/docs/operators.md"));
  bool in_table = false;
  for (std::string line; std::getline(page, line);) {
    if (in_table) documented.push_back(FirstColumns(line));
    in_table |= line.starts_with("| ---");
  }
  std::vector<std::string> rows;
  for (const OpEntry& entry : OpTable()) {
    const int64_t first = std::max(entry.min_opset, kOldestRead);
    const std::string opsets =
        first == entry.max_opset ? fmt::format("{}", first) : fmt::format("{} to {}", first, entry.max_opset);
    rows.push_back(fmt::format("| {} | {} |", entry.name, opsets));
  }
  EXPECT_EQ(documented, rows);
}

TEST(OpTable, RowsAreMadeOrReplaced) {
  for (const OpEntry& entry : OpTable()) EXPECT_NE(entry.make == nullptr, entry.lower == nullptr) << entry.name;
}

}  // namespace
}  // namespace bitplan::ops
