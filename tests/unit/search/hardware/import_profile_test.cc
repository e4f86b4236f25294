#include "search/hardware/import_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "search/base/status.h"
#include "search/hardware/csv.h"
#include "search/hardware/profile_json.h"
#include "search/hardware/shipped_profiles.h"
#include "tests/testing/golden_file.h"

namespace bitplan::hardware {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ImportedProfile About() {
  return {.name = "mine",
          .description = "A table",
          .provenance = {.source = "a test", .date = "2026-01", .citation = "invented for the test", .notes = ""}};
}

std::string Csv() { return testing::ReadFile(BITPLAN_TEST_DATA_DIR "/profiles/haq_latency_v1.csv"); }

std::string ErrorOf(const std::string& csv, const HaqLatencyRows& rows = {.deployment_profile = "p", .m = 16}) {
  const absl::Status status = ImportHaqLatency(csv, rows, About()).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return MessageOf(status);
}

std::string With(std::string_view from, std::string_view to) {
  std::string text = Csv();
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(ImportHaqLatency, EqualsTheGoldenProfile) {
  const auto profile = ImportHaqLatency(Csv(), {.deployment_profile = "p", .m = 16}, About());
  ASSERT_TRUE(profile.ok()) << profile.status();
  testing::ExpectGolden(ToJson(*profile), BITPLAN_TEST_DATA_DIR "/profiles/haq_latency_v1.profile.json");
  EXPECT_TRUE(ParseProfile(ToJson(*profile)).ok());
}

// q|k|v: 16 x 6144 x 4096 in 12.3456 us; two groups of 16 x 4096 x 4096: the slower one.
TEST(ImportHaqLatency, KeepsTheSlowestOfEqualShapes) {
  const HardwareProfile profile = ImportHaqLatency(Csv(), {.deployment_profile = "p", .m = 16}, About()).value();
  ASSERT_EQ(profile.measured[0].layers.size(), 4);  // two shapes, each as matmul and gemm
  const MeasuredLayer& square = profile.measured[0].layers[0];
  EXPECT_EQ(square.kind, LayerKind::kMatMul);
  EXPECT_THAT(square.weight_shape, ElementsAre(4096, 4096));
  EXPECT_EQ(square.macs, int64_t{16} * 4096 * 4096);
  EXPECT_EQ(square.amounts.at({8, 8}), 9000);
  EXPECT_THAT(profile.measured[0].layers[2].weight_shape, ElementsAre(4096, 6144));
  EXPECT_THAT(profile.measured[0].layers[3].weight_shape, ElementsAre(6144, 4096));
  EXPECT_EQ(profile.measured[0].layers[3].amounts.at({8, 8}), 12346);
}

TEST(ImportHaqLatency, ErrorsNameRowAndColumn) {
  EXPECT_EQ(ErrorOf(Csv(), {}), "m: got none, want one of 16, 8");
  EXPECT_EQ(ErrorOf(Csv(), {.deployment_profile = "q"}), "deployment_profile: got 'q', want one of p");
  EXPECT_EQ(ErrorOf(With("haq_latency_v1,p", "haq_latency_v2,p")),
            "row 2 schema_version: got 'haq_latency_v2', want haq_latency_v1");
  EXPECT_EQ(ErrorOf(With("latency_us", "latency_ms")), "header: unknown column 'latency_ms'");
  EXPECT_EQ(ErrorOf(With("12.3456", "fast")), "row 2 latency_us: got 'fast', want a positive number of microseconds");
  EXPECT_EQ(ErrorOf(With("12.3456", "-1")), "row 2 latency_us: got '-1', want a positive number of microseconds");
  EXPECT_EQ(ErrorOf(With("FP8_DEFAULT_CFG", "INT8_DEFAULT_CFG")),
            "row 2 recipe_id: got 'INT8_DEFAULT_CFG', want NONE, FP8_DEFAULT_CFG, NVFP4_DEFAULT_CFG or "
            "W4A16_NVFP4_CFG");
  EXPECT_EQ(ErrorOf(With(",True,gemm", ",yes,gemm")), "row 2 with_quant: got 'yes', want True or False");
  EXPECT_THAT(ErrorOf(With("\"[\"\"q\"\"", "\"[\"\"\"\"")), HasSubstr("row 2 source_module_patterns: got"));
  EXPECT_THAT(ErrorOf(With("6144,4096", ",4096")), HasSubstr("row 2 n: got '', want a whole number"));
  const std::string csv = Csv();
  const size_t second = csv.find('\n') + 1;
  EXPECT_THAT(ErrorOf(csv + csv.substr(second, csv.find('\n', second) - second + 1)), HasSubstr("comes twice"));
  EXPECT_EQ(ErrorOf(""), "got 0 lines, want a header and at least one row");
}

LayerTable TwoLayers() {
  return {{{.name = "a", .num_weights = 10, .macs = 20}, {.name = "b", .num_weights = 30, .macs = 40}}};
}

TEST(ImportHaqTable, ReadsLayerByWeightByActivationBits) {
  const std::vector<int64_t> shape = {2, 2, 3};
  const std::vector<float> entries = {0.5F, 1, 1.5F, 2, 2.5F, 3, 0, 0, 0, 0, 0, 4};
  const HardwareProfile profile = ImportHaqTable(shape, entries, TwoLayers(), {}, About()).value();
  EXPECT_EQ(profile.measured[0].batch_size, 16);
  const MeasuredLayer& a = profile.measured[0].layers[0];
  EXPECT_EQ(a.layer, "a");
  EXPECT_EQ(a.amounts.at({1, 1}), 500'000);  // 0.5 ms
  EXPECT_EQ(a.amounts.at({1, 3}), 1'500'000);
  EXPECT_EQ(a.amounts.at({2, 1}), 2'000'000);
  EXPECT_EQ(profile.measured[0].layers[1].amounts, (std::map<Widths, int64_t>{{{2, 3}, 4'000'000}}));
  EXPECT_TRUE(ParseProfile(ToJson(profile)).ok());
}

TEST(ImportHaqTable, RefusesWhatDoesNotFit) {
  const std::vector<float> entries(8, 1.0F);
  const auto error = [&](const std::vector<int64_t>& shape, std::vector<float> values) {
    return MessageOf(ImportHaqTable(shape, values, TwoLayers(), {}, About()).status());
  };
  EXPECT_EQ(error({2, 4}, entries), "got 2 axes, want layers, weight bits and activation bits");
  EXPECT_EQ(error({4, 2, 1}, entries), "got 4 layers, want the network's 2");
  EXPECT_EQ(error({2, 2, 3}, entries), "got 8 entries, want 12");
  std::vector<float> bad = entries;
  bad[5] = -1;
  EXPECT_EQ(error({2, 2, 2}, bad), "[b, 0, 1]: got -1, want a latency or 0");
  bad[5] = std::numeric_limits<float>::infinity();
  EXPECT_EQ(error({2, 2, 2}, bad), "[b, 0, 1]: got inf, want a latency or 0");
}

TEST(ParseCsv, ReadsQuotesCommasAndLineEnds) {
  const auto rows = ParseCsv("a,\"b,\"\"c\"\"\",\r\n\n\"two\nlines\",x").value();
  ASSERT_EQ(rows.size(), 2);
  EXPECT_THAT(rows[0], ElementsAre("a", "b,\"c\"", ""));
  EXPECT_THAT(rows[1], ElementsAre("two\nlines", "x"));
  EXPECT_FALSE(ParseCsv("a,\"b").ok());
  EXPECT_FALSE(ParseCsv("a,b\"c").ok());
  EXPECT_FALSE(ParseCsv("\"a\"b,c").ok());
}

// What ToJson writes means the same: it is written again from what was read.
TEST(ToJson, ReadsBackAsTheSameProfile) {
  for (const ShippedProfile& shipped : ShippedProfiles()) {
    const std::string json = ToJson(ParseProfile(shipped.json).value());
    const auto back = ParseProfile(json);
    ASSERT_TRUE(back.ok()) << shipped.name << back.status();
    EXPECT_EQ(ToJson(*back), json) << shipped.name;
    EXPECT_EQ(PricedResources(*back), PricedResources(ParseProfile(shipped.json).value()));
  }
}

}  // namespace
}  // namespace bitplan::hardware
