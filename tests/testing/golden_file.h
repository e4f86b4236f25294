#ifndef BITPLAN_TESTS_TESTING_GOLDEN_FILE_H_
#define BITPLAN_TESTS_TESTING_GOLDEN_FILE_H_

#include <string>
#include <string_view>

namespace bitplan::testing {

// The bytes of a file; the test fails if it cannot be read.
std::string ReadFile(const std::string& path);

// Expects that `actual` equals the file. A test program called with --update_golden writes the file instead.
void ExpectGolden(std::string_view actual, const std::string& path);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_GOLDEN_FILE_H_
