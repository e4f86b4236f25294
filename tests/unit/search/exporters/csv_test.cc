#include "search/exporters/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/testing/golden_file.h"
#include "tests/testing/small_plan.h"

namespace bitplan::exporters {
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

}  // namespace
}  // namespace bitplan::exporters
