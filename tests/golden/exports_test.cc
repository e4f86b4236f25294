// Every text exporter: a golden file of a typical plan, and every option that a search can produce, read back by a
// reader as strict as the tool's own.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>

#include "search/base/status.h"
#include "search/exporters/exporter_table.h"
#include "tests/testing/export_plans.h"
#include "tests/testing/export_readers.h"
#include "tests/testing/golden_file.h"

namespace bitplan::exporters {
namespace {

struct Dialect {
  std::string name;
  absl::StatusOr<testing::ReadLayers> (*read)(std::string_view bytes, const Plan& plan);
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
    const absl::StatusOr<testing::ReadLayers> read = GetParam().read(exported.bytes, plan);
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

TEST(CoreMl, PlansOfCodebooksBecomePalettes) {
  Plan plan = testing::PlanOfEveryOption(true);
  std::erase_if(plan.layers, [](const PlanLayer& layer) {
    const std::string& scheme = layer.chosen->option.scheme;
    return scheme != "kmeans" && scheme != "lloyd_max" && scheme != "hessian_kmeans";
  });
  const auto exported = Write(*FindExporter("coremltools"), {.plan = plan}, {});
  ASSERT_TRUE(exported.ok()) << exported.status();
  const auto read = testing::ReadCoreMl(exported->bytes, plan);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(testing::LossViolation(plan, *exported, *read), "");
  EXPECT_GT(std::ranges::count_if(*read, [](const auto& layer) { return layer.second.is_quantized; }), 100);
}

TEST(CoreMl, NamesThatBecomeOneAreAnError) {
  Plan plan = testing::TypicalPlan();
  plan.layers[1].layer.name = "a.b";
  plan.layers[2].layer.name = "a/b";
  EXPECT_EQ(MessageOf(Write(*FindExporter("coremltools"), {.plan = plan}, {}).status()),
            "layers[1] 'a.b' and layers[2] 'a/b': both are 'a_b_weight' in a Core ML model");
}

// The comparison itself: a report that lacks an entry, or has one too many, is found out.
TEST(LossViolation, FindsWhatAReportLacks) {
  const Plan plan = testing::TypicalPlan();
  Exported exported = *Write(*FindExporter("hf_quant_config"), {.plan = plan}, {});
  const testing::ReadLayers read = *testing::ReadHfQuantConfig(exported.bytes, plan);
  EXPECT_EQ(testing::LossViolation(plan, exported, read), "");
  for (size_t i = 0; i < exported.losses.size(); ++i) {
    if (exported.losses[i].field == "activation_scheme") continue;
    Exported lacks = exported;
    lacks.losses.erase(lacks.losses.begin() + static_cast<std::ptrdiff_t>(i));
    EXPECT_NE(testing::LossViolation(plan, lacks, read), "") << exported.losses[i].layer << exported.losses[i].field;
  }
  exported.losses.push_back({.layer = "stem", .field = "granularity", .wanted = "x", .written = "y", .reason = "z"});
  exported.losses.push_back(
      {.layer = "model.layers.1.mlp.up_proj", .field = "granularity", .wanted = "x", .written = "y", .reason = "z"});
  EXPECT_NE(testing::LossViolation(plan, exported, read), "");
}

INSTANTIATE_TEST_SUITE_P(Dialects, TextExporter,
                         ::testing::ValuesIn(std::vector<Dialect>{
                             {"compressed_tensors", &testing::ReadCompressedTensors},
                             {"modelopt", &testing::ReadModelOpt},
                             {"hf_quant_config", &testing::ReadHfQuantConfig},
                             {"llama_cpp", &testing::ReadLlamaCpp},
                             {"torchao", &testing::ReadTorchAo},
                             {"auto_round", &testing::ReadAutoRound},
                             {"coremltools", &testing::ReadCoreMl},
                             {"qconfig_mapping", &testing::ReadQConfigMapping},
                         }),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace bitplan::exporters
