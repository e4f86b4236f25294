#include "search/plan/export_csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "search/base/status.h"
#include "search/plan/exporter_table.h"
#include "tests/testing/golden_file.h"
#include "tests/unit/search/plan/small_plan.h"

namespace bitplan::plan {
namespace {

TEST(CsvCell, QuotesAsRfc4180Says) {
  EXPECT_EQ(CsvCell("conv1"), "conv1");
  EXPECT_EQ(CsvCell(""), "");
  EXPECT_EQ(CsvCell("a,b"), "\"a,b\"");
  EXPECT_EQ(CsvCell("say \"hi\""), "\"say \"\"hi\"\"\"");
  EXPECT_EQ(CsvCell("two\r\nlines"), "\"two\r\nlines\"");
}

TEST(CsvCell, DisarmsFormulas) {
  EXPECT_EQ(CsvCell("=1+1"), "'=1+1");
  EXPECT_EQ(CsvCell("+1"), "'+1");
  EXPECT_EQ(CsvCell("-1"), "'-1");
  EXPECT_EQ(CsvCell("@SUM(A1)"), "'@SUM(A1)");
  EXPECT_EQ(CsvCell("\tx"), "'\tx");
  EXPECT_EQ(CsvCell("=HYPERLINK(\"a\",\"b\")"), "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\"");
}

TEST(ToCsv, IsTheGoldenFile) {
  ::bitplan::testing::ExpectGolden(ToCsv(SmallPlan()), BITPLAN_TEST_DATA_DIR "/plan/small.csv");
}

TEST(ToCsv, LeavesCellsEmptyWithoutAChoice) {
  EXPECT_EQ(
      ToCsv(InfeasiblePlan()).substr(0, 150),
      "layer,kind,num_weights,macs,weight_bits,activation_bits,scheme,granularity,sensitivity,standard_error,size_"
      "bits\r\na,conv,25,50,,,,,,,\r\nb,gemm,75,75,,,,");
}

TEST(Exporters, ConformanceOfEveryFormat) {
  for (const ExporterEntry& exporter : Exporters()) {
    EXPECT_FALSE(exporter.summary.empty());
    EXPECT_FALSE(exporter.extension.empty());
    EXPECT_NE(exporter.media_type.find('/'), std::string_view::npos);
    EXPECT_EQ(FindExporter(exporter.name)->name, exporter.name);
    EXPECT_FALSE(exporter.write(SmallPlan()).empty());
    EXPECT_FALSE(exporter.write(InfeasiblePlan()).empty());
    EXPECT_EQ(exporter.write(SmallPlan()), exporter.write(SmallPlan()));
  }
}

TEST(Exporters, UnknownFormatListsTheKnownOnes) {
  EXPECT_EQ(MessageOf(FindExporter("xml").status()), "format: got 'xml', want one of json, csv");
}

}  // namespace
}  // namespace bitplan::plan
