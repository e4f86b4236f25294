// Every text exporter: a golden file of a typical plan, and every option that a search can produce, read back by a
// reader as strict as the tool's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "search/base/status.h"
#include "search/exporters/exporter_table.h"
#include "tests/testing/export_plans.h"
#include "tests/testing/export_readers.h"
#include "tests/testing/golden_file.h"

namespace bitplan::exporters {
namespace {

struct Dialect {
  std::string name;
  absl::StatusOr<testing::ReadLayers> (*read)(std::string_view bytes);
};

class TextExporter : public ::testing::TestWithParam<Dialect> {
 protected:
  static Exported Export(const Plan& plan) {
    const auto exporter = FindExporter(GetParam().name);
    EXPECT_TRUE(exporter.ok()) << exporter.status();
    absl::StatusOr<Exported> exported = Write(*exporter, {.plan = plan}, {});
    EXPECT_TRUE(exported.ok()) << exported.status();
    return exported.ok() ? *std::move(exported) : Exported();
  }
  static void ExpectReadable(const Plan& plan) {
    const Exported exported = Export(plan);
    const absl::StatusOr<testing::ReadLayers> read = GetParam().read(exported.bytes);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(testing::LossViolation(plan, exported, *read), "");
  }
};

TEST_P(TextExporter, IsTheGoldenFile) {
  const Exported exported = Export(testing::TypicalPlan());
  const std::string path = BITPLAN_TEST_DATA_DIR "/exports/" + GetParam().name;
  testing::ExpectGolden(exported.bytes, path + "." + std::string(FindExporter(GetParam().name)->extension));
  std::string losses;
  for (const ExportLoss& loss : exported.losses) {
    losses += fmt::format("{} | {} | {} | {} | {}\n", loss.layer, loss.field, loss.wanted, loss.written, loss.reason);
  }
  testing::ExpectGolden(losses, path + ".losses.txt");
}

TEST_P(TextExporter, TypicalPlanIsReadBack) { ExpectReadable(testing::TypicalPlan()); }

TEST_P(TextExporter, EveryOptionThatASearchCanProduceIsReadBack) { ExpectReadable(testing::PlanOfEveryOption(true)); }

TEST_P(TextExporter, ActivationsThatWereNotScoredStayFloat) { ExpectReadable(testing::PlanOfEveryOption(false)); }

INSTANTIATE_TEST_SUITE_P(Dialects, TextExporter,
                         ::testing::ValuesIn(std::vector<Dialect>{
                             {"compressed_tensors", &testing::ReadCompressedTensors},
                         }),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bitplan::exporters
