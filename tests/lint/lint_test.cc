// The house rules, first on samples that break them, then on this repository.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "tests/lint/rules.h"

namespace bitplan::lint {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

Findings IncludesOf(const std::string& path, const std::string& include) {
  return CheckIncludes({path, "// first line\n#include " + include + "\n"});
}

TEST(CheckIncludes, AllowsWhatStandsBelow) {
  EXPECT_THAT(IncludesOf("search/graph/graph.h", "\"search/tensor/tensor.h\""), IsEmpty());
  EXPECT_THAT(IncludesOf("search/graph/graph.h", "\"search/base/status.h\""), IsEmpty());
  EXPECT_THAT(IncludesOf("search/graph/graph.cc", "\"search/graph/graph.h\""), IsEmpty());
  EXPECT_THAT(IncludesOf("search/pipeline/run_search.cc", "\"search/allocation/problem.h\""), IsEmpty());
  EXPECT_THAT(IncludesOf("server/main.cc", "\"server/jobs/job_queue.h\""), IsEmpty());
  EXPECT_THAT(IncludesOf("client/main.cc", "\"bitplan/v1/job.grpc.pb.h\""), IsEmpty());
  EXPECT_THAT(IncludesOf("proto/convert/plan.h", "\"bitplan/v1/plan.pb.h\""), IsEmpty());
}

TEST(CheckIncludes, RefusesWhatStandsAboveOrBeside) {
  EXPECT_THAT(
      IncludesOf("search/base/rng.cc", "\"search/tensor/tensor.h\""),
      ElementsAre("search/base/rng.cc:2: includes search/tensor/tensor.h: search/base may include itself only"));
  EXPECT_THAT(IncludesOf("search/allocation/cbc.cc", "\"search/layer/layer.h\""),
              ElementsAre(HasSubstr("search/allocation may include search/base only")));
  EXPECT_THAT(IncludesOf("search/pipeline/run_search.cc", "\"server/jobs/job.h\""),
              ElementsAre(HasSubstr("may include")));
  EXPECT_THAT(IncludesOf("search/plan/export.cc", "\"bitplan/v1/plan.pb.h\""), ElementsAre(HasSubstr("may include")));
  EXPECT_THAT(IncludesOf("server/store/store.h", "\"server/jobs/job.h\""), ElementsAre(HasSubstr("may include")));
  EXPECT_THAT(IncludesOf("server/jobs/queue.cc", "\"bitplan/v1/job.pb.h\""), ElementsAre(HasSubstr("may include")));
  EXPECT_THAT(IncludesOf("client/search.cc", "\"server/config.h\""), ElementsAre(HasSubstr("may include")));
}

TEST(CheckIncludes, KeepsLibrariesInTheirPlace) {
  EXPECT_THAT(IncludesOf("server/service/job_service.cc", "<grpcpp/server.h>"), IsEmpty());
  EXPECT_THAT(IncludesOf("server/service/job_service.h", "<grpcpp/server.h>"),
              ElementsAre(HasSubstr(".cc files only")));
  EXPECT_THAT(IncludesOf("server/server.h", "\"bitplan/v1/job.grpc.pb.h\""), ElementsAre(HasSubstr(".cc files only")));
  EXPECT_THAT(IncludesOf("server/jobs/queue.cc", "<grpcpp/server.h>"), ElementsAre(HasSubstr("gRPC is used in")));
  EXPECT_THAT(IncludesOf("proto/convert/job.cc", "<grpcpp/server.h>"), ElementsAre(HasSubstr("gRPC is used in")));
  EXPECT_THAT(IncludesOf("search/plan/plan.h", "<nlohmann/json.hpp>"), ElementsAre(HasSubstr(".cc files only")));
  EXPECT_THAT(IncludesOf("search/plan/plan.cc", "<nlohmann/json.hpp>"), IsEmpty());
  EXPECT_THAT(IncludesOf("search/plan/plan.cc", "<sqlite3.h>"), ElementsAre(HasSubstr("SQLite is used in")));
  EXPECT_THAT(IncludesOf("search/graph/graph.cc", "<omp.h>"), ElementsAre(HasSubstr("OpenMP is used in")));
}

TEST(CheckIncludes, RefusesRelativePathsAndTestCode) {
  EXPECT_THAT(IncludesOf("search/graph/graph.h", "\"../tensor/tensor.h\""), ElementsAre(HasSubstr("from the root")));
  EXPECT_THAT(IncludesOf("search/graph/graph.h", "\"tests/testing/nets.h\""),
              ElementsAre(HasSubstr("not for production")));
  EXPECT_THAT(IncludesOf("tests/unit/search/graph/graph_test.cc", "\"tests/testing/nets.h\""), IsEmpty());
}

TEST(CheckHeaderGuard, WantsThePath) {
  EXPECT_THAT(CheckHeaderGuard({"search/base/rng.h",
                                "#ifndef BITPLAN_SEARCH_BASE_RNG_H_\n#define BITPLAN_SEARCH_BASE_RNG_H_\n"
                                "#endif  // BITPLAN_SEARCH_BASE_RNG_H_\n"}),
              IsEmpty());
  EXPECT_THAT(CheckHeaderGuard({"search/base/rng.h", "#pragma once\n"}),
              ElementsAre(HasSubstr("BITPLAN_SEARCH_BASE_RNG_H_")));
}

TEST(CheckTodos, WantsAnIssueNumber) {
  EXPECT_THAT(CheckTodos({"search/a.cc",
                          "// TO"
                          "DO(#12): later\n"}),
              IsEmpty());
  EXPECT_THAT(CheckTodos({"search/a.cc",
                          "\n// TO"
                          "DO: later\n"}),
              ElementsAre(StartsWith("search/a.cc:2: ")));
}

TEST(CheckForbiddenWords, FindsAbsolutePaths) {
  EXPECT_THAT(CheckForbiddenWords({"docs/a.md",
                                   "see /wo"
                                   "rk/main\n"}),
              ElementsAre(StartsWith("docs/a.md:1: ")));
  EXPECT_THAT(CheckForbiddenWords({"docs/a.md", "network/main, teamwork/\n"}), IsEmpty());
}

TEST(CheckSearchIsPure, RefusesOutputEnvironmentAndThrow) {
  EXPECT_THAT(CheckSearchIsPure({"search/ops/conv.cc", "std::cout << 1;\n"}), ElementsAre(HasSubstr("RunContext")));
  EXPECT_THAT(CheckSearchIsPure({"search/ops/conv.cc", "std::getenv(\"A\");\n"}),
              ElementsAre(HasSubstr("environment")));
  EXPECT_THAT(CheckSearchIsPure({"search/ops/conv.cc", "#pragma omp parallel\n"}),
              ElementsAre(HasSubstr("ParallelShards")));
  EXPECT_THAT(CheckSearchIsPure({"search/base/parallel.cc", "#pragma omp parallel\n"}), IsEmpty());
  EXPECT_THAT(CheckSearchIsPure({"server/main.cc", "  throw 1;\n"}), ElementsAre(HasSubstr("absl::Status")));
  EXPECT_THAT(CheckSearchIsPure({"client/main.cc", "std::cout << 1;\n"}), IsEmpty());
}

TEST(CheckReadmes, WantsEveryHeaderAndNoGhost) {
  const SourceFile header = {"search/base/rng.h", ""};
  EXPECT_THAT(CheckReadmes({header}), ElementsAre(HasSubstr("is missing")));
  EXPECT_THAT(CheckReadmes({{"search/base/README.md", "- `rng.h`: draws"}, header}), IsEmpty());
  EXPECT_THAT(CheckReadmes({{"search/base/README.md", "- `rnd.h`: draws"}, header}),
              ElementsAre(HasSubstr("does not name `rng.h`"), HasSubstr("names `rnd.h`, which is gone")));
}

TEST(CheckDocumentedPaths, WantsThemToExist) {
  const std::filesystem::path root = BITPLAN_SOURCE_DIR;
  EXPECT_THAT(
      CheckDocumentedPaths({{"README.md", "`tests/lint/rules.h` sends `application/json`, see `tests/<name>`"}}, root),
      IsEmpty());
  EXPECT_THAT(CheckDocumentedPaths({{"README.md", "\n`tests/lint/gone.h`"}}, root),
              ElementsAre("README.md:2: names `tests/lint/gone.h`, which does not exist"));
}

// The repository itself.
class Repository : public ::testing::Test {
 protected:
  template <typename Rule>
  void ExpectEveryFilePasses(const Rule& rule) {
    for (const SourceFile& file : tree_) {
      for (const std::string& finding : rule(file)) ADD_FAILURE() << finding;
    }
  }

  const std::vector<SourceFile> tree_ = ReadTree(BITPLAN_SOURCE_DIR);
};

TEST_F(Repository, IsRead) {
  EXPECT_GT(tree_.size(), 50u);
  EXPECT_NE(std::ranges::find(tree_, "tests/lint/rules.cc", &SourceFile::path), tree_.end());
}
TEST_F(Repository, IncludesObeyTheFolders) { ExpectEveryFilePasses(CheckIncludes); }
TEST_F(Repository, HeaderGuardsAreThePath) { ExpectEveryFilePasses(CheckHeaderGuard); }
TEST_F(Repository, TodosCarryAnIssue) { ExpectEveryFilePasses(CheckTodos); }
TEST_F(Repository, NamesNoMachine) { ExpectEveryFilePasses(CheckForbiddenWords); }
TEST_F(Repository, SearchIsPure) { ExpectEveryFilePasses(CheckSearchIsPure); }
TEST_F(Repository, ReadmesNameEveryHeader) { EXPECT_THAT(CheckReadmes(tree_), IsEmpty()); }
TEST_F(Repository, DocumentedPathsExist) { EXPECT_THAT(CheckDocumentedPaths(tree_, BITPLAN_SOURCE_DIR), IsEmpty()); }

}  // namespace
}  // namespace bitplan::lint
