#include "search/hardware/runtime_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "search/base/status.h"
#include "search/hardware/shipped_runtimes.h"

namespace bitplan::hardware {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kDocument = R"json({
  "format": "bitplan.runtime/1", "name": "one", "version": "2", "written_against": "One 3", "description": "words",
  "rules": [{"name": "pair", "reason": "because", "agree": ["weight_bits", "scheme"], "structure": ["gated"],
             "names": ["(.*)[.](?:a|b)"], "source": "the manual", "date": "2026-11"}]})json";

std::string Replaced(const std::string& from, const std::string& to) {
  std::string text = kDocument;
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

// "rule: layer layer", one a group.
std::vector<std::string> Described(const RuntimeRules& runtime, const std::vector<std::string_view>& layers,
                                   const std::optional<LayerStructure>& structure) {
  std::vector<std::string> lines;
  for (const RuntimeGroup& group : GroupLayers(runtime, layers, structure).groups) {
    lines.push_back(fmt::format("{}: {}", group.rule, fmt::join(group.layers, " ")));
  }
  return lines;
}

TEST(ParseRuntime, ReadsEveryField) {
  const absl::StatusOr<RuntimeRules> runtime = ParseRuntime(kDocument);
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ(runtime->name, "one");
  EXPECT_EQ(runtime->version, "2");
  EXPECT_EQ(runtime->written_against, "One 3");
  EXPECT_EQ(runtime->digest.size(), 64U);
  ASSERT_EQ(runtime->rules.size(), 1U);
  const RuntimeRule& rule = runtime->rules[0];
  EXPECT_THAT(rule.agree, ElementsAre(Agreement::kWeightBits, Agreement::kScheme));
  EXPECT_THAT(rule.structure, ElementsAre(StructureKind::kGated));
  EXPECT_THAT(rule.names, ElementsAre("(.*)[.](?:a|b)"));
  EXPECT_EQ(rule.date, "2026-11");
}

TEST(ParseRuntime, ErrorsNameTheField) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {Replaced("runtime/1", "runtime/2"), "runtime.format: got 'bitplan.runtime/2'"},
      {Replaced("\"one\"", "\"One\""), "runtime.name: got 'One'"},
      {Replaced("\"pair\"", "\"\""), "runtime.rules[0].name: got ''"},
      {Replaced("\"because\"", "\"\""), "runtime.rules[0].reason: got nothing"},
      {Replaced("weight_bits\"", "bits\""), "runtime.rules[0].agree[0]: got 'bits'"},
      {Replaced("\"weight_bits\"", "\"option\""), "runtime.rules[0].agree: agree: got option and scheme"},
      {Replaced("\"weight_bits\"", "\"scheme\""), "runtime.rules[0].agree[1]: is there twice"},
      {Replaced("[\"weight_bits\", \"scheme\"]", "[]"), "runtime.rules[0].agree: agree: got nothing"},
      {Replaced("gated", "fused"), "runtime.rules[0].structure[0]: got 'fused', want one of shared_input"},
      {Replaced("(.*)[.]", "(.*[.]"), "runtime.rules[0].names[0]: got '(.*[.](?:a|b)', no pattern"},
      {Replaced("(.*)[.]", ".*[.]"), "want a group '(...)'"},
      {Replaced(R"("structure": ["gated"],)", R"("structure": [],)"), ""},
      {Replaced("2026-11", "Nov"), "runtime.rules[0].date: got 'Nov'"},
      {Replaced("\"source\"", "\"sauce\""), "runtime.rules[0]: missing field 'source'"},
      {Replaced("\"version\"", "\"edition\": \"x\", \"version\""), "runtime: unknown field 'edition'"},
      {Replaced("\"rules\": [", "\"rules\": [], \"more\": ["), "runtime.rules: got none"},
      {"[]", "runtime"},
  };
  for (const auto& [json, wanted] : cases) {
    const absl::StatusOr<RuntimeRules> runtime = ParseRuntime(json);
    if (wanted.empty()) {
      EXPECT_TRUE(runtime.ok()) << runtime.status();
      continue;
    }
    EXPECT_EQ(runtime.status().code(), absl::StatusCode::kInvalidArgument) << json;
    EXPECT_THAT(MessageOf(runtime.status()), HasSubstr(wanted));
  }
}

TEST(GroupLayers, ByNamesByStructureAndBoth) {
  const RuntimeRules runtime = ParseRuntime(kDocument).value();
  const std::vector<std::string_view> layers = {"x.a", "x.b", "y.a", "y.b", "z.a", "u", "v"};
  EXPECT_THAT(Described(runtime, layers, LayerStructure{}), ElementsAre("pair: x.a x.b", "pair: y.a y.b"));
  // Equal groups come once, larger ones in place of their parts; other kinds and unknown layers do not count.
  const LayerStructure structure = {{StructureKind::kGated, {"x.a", "x.b"}},
                                    {StructureKind::kGated, {"y.a", "y.b", "u"}},
                                    {StructureKind::kGated, {"v", "stranger"}},
                                    {StructureKind::kParallel, {"u", "v"}}};
  EXPECT_THAT(Described(runtime, layers, structure), ElementsAre("pair: x.a x.b", "pair: y.a y.b u"));
  EXPECT_THAT(GroupLayers(runtime, layers, structure).unseen, IsEmpty());
  EXPECT_THAT(GroupLayers(runtime, layers, std::nullopt).unseen, ElementsAre("pair"));
}

class ShippedRuntimeTest : public ::testing::TestWithParam<ShippedRuntime> {};

TEST_P(ShippedRuntimeTest, Parses) {
  const absl::StatusOr<RuntimeRules> runtime = ParseRuntime(GetParam().json);
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_EQ(runtime->name, GetParam().name) << "file name and name in the document differ";
}

TEST_P(ShippedRuntimeTest, IsTheFile) {
  std::ifstream file(fmt::format("{}/search/hardware/runtimes/{}.json", BITPLAN_SOURCE_DIR, GetParam().name));
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), GetParam().json);
}

INSTANTIATE_TEST_SUITE_P(Files, ShippedRuntimeTest, ::testing::ValuesIn(ShippedRuntimes()), [](const auto& test) {
  std::string name(test.param.name);
  std::ranges::replace(name, '-', '_');
  return name;
});

TEST(FindShippedRuntime, UnknownNamesListTheKnown) {
  const absl::Status status = FindShippedRuntime("tflite").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(status), HasSubstr("cmsis-nn, llama-cpp, onnxruntime, tensorrt, vllm"));
}

TEST(ShippedRuntimes, VllmPacksByNames) {
  const std::vector<std::string_view> layers = {"model.layers.0.self_attn.q_proj",
                                                "model.layers.0.self_attn.k_proj",
                                                "model.layers.0.self_attn.v_proj",
                                                "model.layers.0.self_attn.o_proj",
                                                "model.layers.0.mlp.gate_proj",
                                                "model.layers.0.mlp.up_proj",
                                                "model.layers.0.mlp.down_proj",
                                                "/model/layers.1/self_attn/q_proj/MatMul",
                                                "/model/layers.1/self_attn/k_proj/MatMul",
                                                "model.layers.10.self_attn.q_proj"};
  EXPECT_THAT(Described(*FindShippedRuntime("vllm"), layers, std::nullopt),
              ElementsAre("qkv: model.layers.0.self_attn.q_proj model.layers.0.self_attn.k_proj "
                          "model.layers.0.self_attn.v_proj",
                          "qkv: /model/layers.1/self_attn/q_proj/MatMul /model/layers.1/self_attn/k_proj/MatMul",
                          "gate_up: model.layers.0.mlp.gate_proj model.layers.0.mlp.up_proj"));
}

TEST(ShippedRuntimes, ExpertsOfABlock) {
  const std::vector<std::string_view> layers = {"l.0.experts.0.w1", "l.0.experts.0.w2", "l.0.experts.1.w1",
                                                "l.0.experts.1.w2", "l.1.experts.0.w1", "l.1.experts.1.w1"};
  EXPECT_THAT(Described(*FindShippedRuntime("llama-cpp"), layers, std::nullopt),
              ElementsAre("experts: l.0.experts.0.w1 l.0.experts.1.w1", "experts: l.0.experts.0.w2 l.0.experts.1.w2",
                          "experts: l.1.experts.0.w1 l.1.experts.1.w1"));
  EXPECT_THAT(Described(*FindShippedRuntime("vllm"), layers, std::nullopt),
              ElementsAre("experts: l.0.experts.0.w1 l.0.experts.0.w2 l.0.experts.1.w1 l.0.experts.1.w2",
                          "experts: l.1.experts.0.w1 l.1.experts.1.w1"));
}

TEST(ShippedRuntimes, CmsisNnTiesResultsThatAreAdded) {
  const std::vector<std::string_view> layers = {"a", "b", "c"};
  const LayerStructure structure = {{StructureKind::kAddedOutputs, {"a", "c"}},
                                    {StructureKind::kConcatenatedInputs, {"b", "c"}}};
  EXPECT_THAT(Described(*FindShippedRuntime("cmsis-nn"), layers, structure), ElementsAre("add: a c", "concat: b c"));
  EXPECT_THAT(Described(*FindShippedRuntime("tensorrt"), layers, structure), ElementsAre("concat: b c"));
}

}  // namespace
}  // namespace bitplan::hardware
