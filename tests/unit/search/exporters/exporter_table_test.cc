#include "search/exporters/exporter_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/status.h"
#include "search/plan/plan_json.h"
#include "tests/testing/small_plan.h"

namespace bitplan::exporters {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST(Exporters, ConformanceOfEveryFormat) {
  const Plan plan = SmallPlan();
  for (const ExporterEntry& exporter : Exporters()) {
    SCOPED_TRACE(exporter.name);
    EXPECT_FALSE(exporter.summary.empty());
    EXPECT_FALSE(exporter.written_against.empty());
    EXPECT_FALSE(exporter.extension.empty());
    EXPECT_NE(exporter.media_type.find('/'), std::string_view::npos);
    EXPECT_EQ(FindExporter(exporter.name)->name, exporter.name);
    if (exporter.needs_model) {
      EXPECT_TRUE(absl::IsInvalidArgument(Write(exporter, {.plan = plan}, {}).status()));
      continue;
    }
    const absl::StatusOr<Exported> written = Write(exporter, {.plan = plan}, {});
    ASSERT_TRUE(written.ok()) << written.status();
    EXPECT_FALSE(written->bytes.empty());
    const absl::StatusOr<Exported> again = Write(exporter, {.plan = plan}, {});
    EXPECT_EQ(again->bytes, written->bytes);
    EXPECT_EQ(again->losses, written->losses);
    for (const ExportLoss& loss : written->losses) {
      EXPECT_FALSE(loss.field.empty());
      EXPECT_NE(loss.wanted, loss.written) << loss.layer << ' ' << loss.field;
      EXPECT_FALSE(loss.reason.empty());
      EXPECT_FALSE(loss.reason.ends_with("."));
    }
  }
}

TEST(Exporters, PlansWithoutAChoiceAreRefusedWhereThereAreNoWordsForThem) {
  const Plan plan = InfeasiblePlan();
  for (const ExporterEntry& exporter : Exporters()) {
    SCOPED_TRACE(exporter.name);
    const absl::Status status = Write(exporter, {.plan = plan}, {}).status();
    EXPECT_EQ(absl::IsFailedPrecondition(status), exporter.needs_choice) << status;
    if (status.ok()) continue;
    EXPECT_THAT(MessageOf(status), HasSubstr("has no choice (infeasible)"));
  }
}

TEST(Exporters, UnknownFormatListsTheKnownOnes) {
  EXPECT_THAT(MessageOf(FindExporter("xml").status()), StartsWith("format: got 'xml', want one of json, csv"));
}

TEST(ExporterOfFile, IsTheFormatNamedAsTheExtension) {
  EXPECT_EQ(ExporterOfFile("a/plan.json")->name, "json");
  EXPECT_EQ(ExporterOfFile("plan.csv")->name, "csv");
  EXPECT_EQ(MessageOf(ExporterOfFile("plan.txt").status()),
            "got 'plan.txt', want a file name that ends in .json or .csv");
}

}  // namespace
}  // namespace bitplan::exporters
