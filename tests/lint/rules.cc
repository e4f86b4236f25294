#include "tests/lint/rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

namespace bitplan::lint {
namespace {

// One row of the table of folders: its files may include those of the listed folders, of all that these may include,
// and of their own folder.
struct LayerRow {
  std::string_view folder;
  std::vector<std::string_view> may_include;
};

const std::vector<LayerRow>& Layers() {
  static const auto& rows = *new std::vector<LayerRow>{
      {"search/base", {}},
      {"search/tensor", {"search/base"}},
      {"search/data", {"search/tensor"}},
      {"search/layer", {"search/base"}},
      {"search/graph", {"search/tensor", "search/layer"}},
      {"search/ops", {"search/graph", "search/data"}},
      {"search/onnx", {"search/graph", "search/ops"}},
      {"search/curvature", {"search/graph", "search/ops"}},
      {"search/quantization", {"search/tensor", "search/layer"}},
      {"search/sensitivity", {"search/graph", "search/curvature", "search/quantization"}},
      {"search/hardware", {"search/layer", "search/quantization"}},
      {"search/allocation", {"search/base"}},
      {"search/plan", {"search/layer", "search/allocation"}},
      {"search/evaluation", {"search/graph", "search/ops", "search/sensitivity", "search/plan"}},
      {"search/exporters", {"search/onnx", "search/evaluation", "search/hardware"}},
      {"search/pipeline", {"search/hardware", "search/exporters"}},
      {"proto", {}},
      {"proto/convert", {"proto", "search/pipeline"}},
      {"server/artifacts", {"search/base", "server/disk"}},
      {"server/disk", {"search/base"}},
      {"server/store", {"search/base", "server/disk"}},
      {"server/jobs", {"server/artifacts", "server/store", "search/pipeline"}},
      {"server/service", {"server/jobs", "proto/convert"}},
      {"server", {"server/service"}},
      {"client", {"proto/convert"}},
  };
  return rows;
}

// A library whose headers begin with one of `prefixes` may be included from these folders only; none: from anywhere.
struct LibraryRow {
  std::string_view package;
  std::vector<std::string_view> prefixes;
  std::vector<std::string_view> folders;
  bool in_headers;
};

const std::vector<LibraryRow>& Libraries() {
  static const auto& rows = *new std::vector<LibraryRow>{
      {"gRPC", {"grpcpp/", "grpc/", "grpc++/"}, {"server/service", "server", "client", "tests"}, false},
      {"nlohmann/json", {"nlohmann/"}, {}, false},
      {"SQLite", {"sqlite3"}, {"server/store", "tests"}, false},
      {"oneDNN", {"dnnl", "oneapi/dnnl"}, {"search/ops", "search/pipeline", "tests"}, true},
      {"CBC", {"coin/", "Cbc", "Clp", "Osi"}, {"search/allocation", "tests"}, false},
      {"CLI11", {"CLI/"}, {"client", "server"}, false},
      {"OpenMP", {"omp.h"}, {"search/base", "search/ops", "tests"}, false},
  };
  return rows;
}

bool StartsWithAny(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view prefix) { return text.starts_with(prefix); });
}

bool IsIn(std::string_view path, std::string_view folder) {
  return path.size() > folder.size() && path.starts_with(folder) && path[folder.size()] == '/';
}

const LayerRow* LayerOf(std::string_view path) {
  const LayerRow* best = nullptr;
  for (const LayerRow& row : Layers()) {
    if (IsIn(path, row.folder) && (best == nullptr || row.folder.size() > best->folder.size())) best = &row;
  }
  return best;
}

bool Sees(std::string_view from, std::string_view to) {
  if (from == to) return true;
  const auto row = std::ranges::find(Layers(), from, &LayerRow::folder);
  return row != Layers().end() &&
         std::ranges::any_of(row->may_include, [&](std::string_view below) { return Sees(below, to); });
}

bool IsSource(std::string_view path) { return path.ends_with(".cc") || path.ends_with(".h"); }
bool IsTest(std::string_view path) { return path.starts_with("tests/"); }
bool IsProduction(std::string_view path) { return IsSource(path) && LayerOf(path) != nullptr; }

// Calls check(line number from 1, line) for each line.
template <typename Check>
void ForEachLine(const std::string& text, const Check& check) {
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) check(number, line);
}

// Generated headers live under proto: "bitplan/v1/job.pb.h", "google/rpc/status.pb.h".
std::string PathOfInclude(const std::string& include) {
  const bool generated = include.starts_with("bitplan/v1/") || include.starts_with("google/rpc/");
  return generated ? "proto/" + include : include;
}

std::string WrongLibrary(const SourceFile& file, const std::string& include) {
  const bool is_stub = include.ends_with(".grpc.pb.h");
  if (include == "grpcpp/support/status.h") return "";  // light, and what every RPC returns; used where gRPC is linked
  for (const LibraryRow& row : Libraries()) {
    if (!StartsWithAny(include, row.prefixes) && !(is_stub && row.package == "gRPC")) continue;
    if (!row.in_headers && file.path.ends_with(".h")) {
      return fmt::format("includes {}: {} belongs in .cc files only", include, row.package);
    }
    const LayerRow* layer = LayerOf(file.path);
    const std::string_view folder = layer != nullptr ? layer->folder : std::string_view("tests");
    if (!row.folders.empty() && std::ranges::find(row.folders, folder) == row.folders.end()) {
      return fmt::format("includes {}: {} is used in {} only", include, row.package, fmt::join(row.folders, ", "));
    }
  }
  return "";
}

std::string WrongInclude(const SourceFile& file, const std::string& include) {
  if (include.find("../") != std::string::npos)
    return fmt::format("includes {}: write the path from the root", include);
  if (std::string wrong = WrongLibrary(file, include); !wrong.empty()) return wrong;
  const LayerRow* from = LayerOf(file.path);
  if (from == nullptr) return "";
  if (IsTest(include)) return fmt::format("includes {}: test code is not for production", include);
  const LayerRow* to = LayerOf(PathOfInclude(include));
  if (to == nullptr || Sees(from->folder, to->folder)) return "";
  return fmt::format("includes {}: {} may include {} only", include, from->folder,
                     from->may_include.empty() ? "itself" : fmt::format("{}", fmt::join(from->may_include, ", ")));
}

std::string GuardOf(const std::string& path) {
  std::string guard = "BITPLAN_";
  for (const char c : path) guard += std::isalnum(static_cast<unsigned char>(c)) != 0 ? std::toupper(c) : '_';
  return guard + "_";
}

std::string FolderOf(const std::string& path) { return path.substr(0, path.rfind('/')); }
std::string NameOf(const std::string& path) { return path.substr(path.rfind('/') + 1); }

bool IsText(const std::filesystem::path& path) {
  static const std::set<std::string> extensions = {".cc",  ".h",    ".md",   ".proto", ".py",
                                                   ".txt", ".json", ".yaml", ".sh"};
  return path.extension().empty() || extensions.contains(path.extension().string());
}

bool IsSkippedFolder(const std::string& path) {
  const std::string name = NameOf(path);
  return name.starts_with("build") || (name.starts_with('.') && name != ".ci") || path == "tests/data" ||
         path == "demo" || name == "__pycache__";
}

// Backticked words of a document: `search/base/rng.h`.
std::vector<std::string> QuotedPaths(const std::string& line) {
  static const std::regex quoted("`([A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]*)+)`");
  std::vector<std::string> paths;
  for (std::sregex_iterator match(line.begin(), line.end(), quoted), end; match != end; ++match) {
    paths.push_back((*match)[1]);
  }
  return paths;
}

// Decisions are never edited, so they may name what has moved since.
bool IsDocument(const std::string& path) {
  const bool lives =
      path.find('/') == std::string::npos || (path.starts_with("docs/") && !IsIn(path, "docs/decisions"));
  return path.ends_with(".md") && lives;
}

}  // namespace

std::vector<SourceFile> ReadTree(const std::filesystem::path& root) {
  std::vector<SourceFile> tree;
  for (auto entry = std::filesystem::recursive_directory_iterator(root); entry != std::filesystem::end(entry);
       ++entry) {
    const std::string path = entry->path().lexically_relative(root).generic_string();
    if (entry->is_directory() && IsSkippedFolder(path)) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file() && IsText(entry->path()) && !NameOf(path).starts_with('.')) {
      std::ifstream in(entry->path(), std::ios::binary);
      tree.push_back({path, std::string(std::istreambuf_iterator<char>(in), {})});
    }
  }
  std::ranges::sort(tree, {}, &SourceFile::path);
  return tree;
}

Findings CheckIncludes(const SourceFile& file) {
  static const std::regex include(R"(^\s*#\s*include\s*["<]([^">]+)[">])");
  Findings findings;
  if (!IsSource(file.path)) return findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    std::smatch match;
    if (!std::regex_search(line, match, include)) return;
    const std::string wrong = WrongInclude(file, match[1]);
    if (!wrong.empty()) findings.push_back(fmt::format("{}:{}: {}", file.path, number, wrong));
  });
  return findings;
}

Findings CheckHeaderGuard(const SourceFile& file) {
  if (!file.path.ends_with(".h")) return {};
  const std::string guard = GuardOf(file.path);
  if (file.text.starts_with(fmt::format("#ifndef {0}\n#define {0}\n", guard)) &&
      file.text.ends_with(fmt::format("#endif  // {}\n", guard))) {
    return {};
  }
  return {fmt::format("{}:1: wants the guard {} on its first two lines and in its last", file.path, guard)};
}

Findings CheckTodos(const SourceFile& file) {
  static const std::regex todo(R"(\b(TO[D]O|FIX[M]E)\b)");
  static const std::regex numbered(R"(TO[D]O\(#[0-9]+\))");
  Findings findings;
  if (!IsSource(file.path) && !file.path.ends_with(".proto")) return findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    if (std::regex_search(line, todo) && !std::regex_search(line, numbered)) {
      findings.push_back(
          fmt::format("{}:{}: a TODO carries an issue number, for example TODO(#12)", file.path, number));
    }
  });
  return findings;
}

Findings CheckForbiddenWords(const SourceFile& file) {
  // In two pieces each, so that this file passes.
  static const auto words =
      std::to_array<std::string>({"/wo"
                                  "rk/",
                                  "../sh"
                                  "ared",
                                  "/ro"
                                  "ot/"});
  Findings findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    for (const std::string& word : words) {
      if (line.find(word) != std::string::npos) {
        findings.push_back(fmt::format("{}:{}: names {}, a place on somebody's machine", file.path, number, word));
      }
    }
  });
  return findings;
}

Findings CheckSearchIsPure(const SourceFile& file) {
  struct Rule {
    std::string_view folder;
    std::regex pattern;
    std::string_view message;
  };
  static const auto& rules = *new std::vector<Rule>{
      {"search", std::regex(R"(\bgetenv\b)"), "search reads no environment variable"},
      {"search", std::regex(R"(\b(ofstream|fopen|fwrite)\b)"), "search writes no file"},
      {"search", std::regex(R"(\bstd::(cout|cerr|clog)\b|\bf?printf\(|\bfmt::print\b)"),
       "search reports through its RunContext"},
      {"search", std::regex(R"(^\s*#\s*pragma\s+omp\b)"), "parallel work goes through ParallelShards"},
      {"", std::regex(R"(^\s*throw\b(?!.*// caught in ))"),
       "errors travel as absl::Status (or say '// caught in ...')"},
  };
  Findings findings;
  if (!IsProduction(file.path) || file.path == "search/base/check.cc") return findings;
  ForEachLine(file.text, [&](int number, const std::string& line) {
    if (line.find("//") != std::string::npos && line.find_first_not_of(' ') == line.find("//")) return;
    for (const Rule& rule : rules) {
      const bool is_omp = rule.message.starts_with("parallel");
      if (!file.path.starts_with(rule.folder) || (is_omp && IsIn(file.path, "search/base"))) continue;
      if (std::regex_search(line, rule.pattern)) {
        findings.push_back(fmt::format("{}:{}: {}", file.path, number, rule.message));
      }
    }
  });
  return findings;
}

Findings CheckReadmes(const std::vector<SourceFile>& tree) {
  std::map<std::string, std::string> readmes;
  std::map<std::string, std::set<std::string>> headers;
  for (const SourceFile& file : tree) {
    if (NameOf(file.path) == "README.md") readmes[FolderOf(file.path)] = file.text;
    if (IsProduction(file.path)) headers[FolderOf(file.path)];
    if (IsProduction(file.path) && file.path.ends_with(".h")) headers[FolderOf(file.path)].insert(NameOf(file.path));
  }
  static const std::regex mention(R"(`([a-z0-9_]+\.h)`)");
  Findings findings;
  for (const auto& [folder, names] : headers) {
    const auto readme = readmes.find(folder);
    if (readme == readmes.end()) {
      findings.push_back(fmt::format("{}/README.md:1: is missing; wants one line a header", folder));
      continue;
    }
    std::set<std::string> mentioned;
    for (std::sregex_iterator match(readme->second.begin(), readme->second.end(), mention), end; match != end;
         ++match) {
      mentioned.insert((*match)[1]);
    }
    for (const std::string& name : names) {
      if (!mentioned.contains(name))
        findings.push_back(fmt::format("{}/README.md:1: does not name `{}`", folder, name));
    }
    for (const std::string& name : mentioned) {
      if (!names.contains(name))
        findings.push_back(fmt::format("{}/README.md:1: names `{}`, which is gone", folder, name));
    }
  }
  return findings;
}

Findings CheckDocumentedPaths(const std::vector<SourceFile>& tree, const std::filesystem::path& root) {
  Findings findings;
  for (const SourceFile& file : tree) {
    if (!IsDocument(file.path)) continue;
    ForEachLine(file.text, [&](int number, const std::string& line) {
      for (const std::string& path : QuotedPaths(line)) {
        // Only what begins like a folder of ours: `application/json` and `projects/p/jobs/j` are no paths.
        const bool ours = std::filesystem::exists(root / path.substr(0, path.find('/'))) &&
                          !path.starts_with("build") && !path.starts_with("./");
        if (ours && !std::filesystem::exists(root / path)) {
          findings.push_back(fmt::format("{}:{}: names `{}`, which does not exist", file.path, number, path));
        }
      }
    });
  }
  return findings;
}

}  // namespace bitplan::lint
