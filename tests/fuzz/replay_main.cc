// Feeds a fuzz target files, directories of files, and deterministic mutations of each.
//
// usage: fuzz_<target> [--mutations N] [PATH...]

#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "tests/testing/hostile_models.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

void Run(const std::string& bytes) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
}

std::vector<fs::path> FilesOf(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

void RunFile(const fs::path& path, uint64_t mutations) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    fmt::print(stderr, "cannot read {}\n", path.string());
    std::exit(2);
  }
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  // Flushed, so that after a crash the last line says where.
  fmt::print("{}: {} bytes, {} mutations\n", path.string(), bytes.size(), mutations);
  std::fflush(stdout);
  Run(bytes);
  for (uint64_t seed = 0; seed < mutations; ++seed) Run(bitplan::testing::Mutate(bytes, seed));
}

}  // namespace

int main(int argc, char** argv) {
  uint64_t mutations = 0;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--mutations" && i + 1 < argc) {
      mutations = std::strtoull(argv[++i], nullptr, 10);
      continue;
    }
    for (const fs::path& file : FilesOf(argv[i])) RunFile(file, mutations);
  }
  return 0;
}
