#ifndef BITPLAN_TESTS_LINT_RULES_H_
#define BITPLAN_TESTS_LINT_RULES_H_

#include <filesystem>
#include <string>
#include <vector>

// House rules that neither the compiler nor clang-tidy checks. Each rule is a function from files to findings; a
// finding reads "path:line: what is wrong, what is wanted" and an empty list means the rule holds.
namespace bitplan::lint {

// One file of the tree: its path from the root of the repository and its contents.
struct SourceFile {
  std::string path;
  std::string text;
};

using Findings = std::vector<std::string>;

// The text files of the repository at `root`, sorted by path: sources, scripts and documents, without build folders,
// hidden folders (but with .ci) and test data.
std::vector<SourceFile> ReadTree(const std::filesystem::path& root);

// Includes obey the table of folders (kLayers in rules.cc, from the design): a folder sees only what stands below it,
// library headers stay where they belong, gRPC and JSON headers stay out of headers, no "../", no test code in
// production.
Findings CheckIncludes(const SourceFile& file);

// Header guards are the path: search/base/rng.h has BITPLAN_SEARCH_BASE_RNG_H_.
Findings CheckHeaderGuard(const SourceFile& file);

// A TODO carries an issue number: TODO(#12).
Findings CheckTodos(const SourceFile& file);

// Nothing names a place on the machine where it was written.
Findings CheckForbiddenWords(const SourceFile& file);

// search/ computes: no environment, no output, no file written, no OpenMP outside of search/base, no exception thrown
// by us anywhere in production.
Findings CheckSearchIsPure(const SourceFile& file);

// Every folder of production code has a README.md that names each of its headers, and names none that is gone.
Findings CheckReadmes(const std::vector<SourceFile>& tree);

// Every path in backticks in the hand-written documents exists. A path is what has a slash and no blank or placeholder.
Findings CheckDocumentedPaths(const std::vector<SourceFile>& tree, const std::filesystem::path& root);

}  // namespace bitplan::lint

#endif  // BITPLAN_TESTS_LINT_RULES_H_
