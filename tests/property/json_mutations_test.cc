// Documents from strangers: every reader of profiles, runtimes, plans, measurements and budgets answers a mutated text
// with a status, never with a crash, and nothing that a reader accepts upsets the next stage.
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "search/base/rng.h"
#include "search/exporters/csv.h"
#include "search/hardware/price.h"
#include "search/hardware/runtime_rules.h"
#include "search/hardware/shipped_profiles.h"
#include "search/pipeline/run_search.h"
#include "search/plan/plan_json.h"
#include "search/plan/verifier.h"
#include "tests/testing/golden_file.h"

namespace bitplan {
namespace {

constexpr uint64_t kSeed = 20240506;
constexpr int kMutations = 3000;

// Mutation k of `text`: a byte changed, a piece cut out or doubled, or the end cut off. Bytes come from JSON's own
// alphabet half of the time, so that many results are still JSON.
std::string Mutate(std::string text, uint64_t k) {
  constexpr std::string_view kAlphabet = "0123456789-+.eE{}[]\",: truefalsn";
  Rng rng(kSeed, k);
  const size_t at = rng.NextBelow(text.size());
  const size_t length = rng.NextBelow(std::min<size_t>(text.size() - at, 40)) + 1;
  const char byte =
      rng.NextBelow(2) == 0 ? kAlphabet[rng.NextBelow(kAlphabet.size())] : static_cast<char>(rng.NextBits());
  switch (rng.NextBelow(5)) {
    case 0:
      return text.erase(at, length);
    case 1:
      return text.insert(at, text.substr(at, length));
    case 2:
      return text.substr(0, at);
    default:
      text[at] = byte;
      return text;
  }
}

// Calls read(mutant) for many mutants; `read` returns the status of the reader.
template <typename Read>
void ExpectCleanAnswers(const std::string& text, Read read) {
  int accepted = 0;
  for (int k = 0; k < kMutations; ++k) {
    const absl::Status status = read(Mutate(text, k));
    accepted += status.ok() ? 1 : 0;
    EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kInvalidArgument)
        << "mutation " << k << " of seed " << kSeed << ": " << status;
  }
  EXPECT_LT(accepted, kMutations / 2);  // most mutations break something
}

TEST(JsonMutations, Profiles) {
  const Layer layer{.name = "stage1.unit1.conv1", .num_weights = 36864, .macs = 115605504};
  for (const hardware::ShippedProfile& shipped : hardware::ShippedProfiles()) {
    ExpectCleanAnswers(std::string(shipped.json), [&](const std::string& text) {
      const absl::StatusOr<HardwareProfile> profile = hardware::ParseProfile(text);
      if (profile.ok()) hardware::Price({{layer}}, {{{Option{4, 4}, Option{}}}}, *profile).IgnoreError();
      return profile.status();
    });
  }
}

// Rules that still read group layers, whatever their patterns say.
TEST(JsonMutations, Runtimes) {
  const std::vector<std::string_view> layers = {"l.0.q_proj", "l.0.k_proj", "l.0.experts.0.w1", "l.0.experts.1.w1"};
  const std::string text = R"json({"format": "bitplan.runtime/1", "name": "r", "version": "1", "written_against": "w",
    "description": "d", "rules": [{"name": "n", "reason": "r", "agree": ["weight_bits"], "structure": ["gated"],
    "names": ["(.*[.])(?:q|k)_proj"], "source": "s", "date": "2026-11"}]})json";
  ExpectCleanAnswers(text, [&](const std::string& mutant) {
    const absl::StatusOr<RuntimeRules> runtime = hardware::ParseRuntime(mutant);
    if (runtime.ok()) hardware::GroupLayers(*runtime, layers, std::nullopt);
    return runtime.status();
  });
}

// A mutant that still reads as a plan is refused by the verifier, unless it says the same or only changes `created`.
TEST(JsonMutations, Plans) {
  for (const char* file : {"small.json", "infeasible.json"}) {
    const std::string text = testing::ReadFile(std::string(BITPLAN_TEST_DATA_DIR "/plan/") + file);
    Plan original = plan::ParsePlan(text).value();
    original.created.clear();
    ExpectCleanAnswers(text, [&](const std::string& mutant) {
      absl::StatusOr<Plan> plan = plan::ParsePlan(mutant);
      if (!plan.ok()) return plan.status();
      plan->created.clear();
      EXPECT_EQ(plan::Verify(*plan).ok(), *plan == original) << mutant;
      EXPECT_FALSE(exporters::ToCsv(*plan).empty());
      return absl::OkStatus();
    });
  }
}

TEST(JsonMutations, Measurements) {
  const std::string given = testing::ReadFile(BITPLAN_TEST_DATA_DIR "/hawq/resnet18_t4.sensitivities.json");
  const Measurement measured = pipeline::FromGiven(sensitivity::ParseGiven(given).value()).value();
  ExpectCleanAnswers(pipeline::MeasurementToJson(measured),
                     [](const std::string& mutant) { return pipeline::ParseMeasurement(mutant).status(); });
}

TEST(JsonMutations, Budgets) {
  for (const char* text : {"size=1.5MiB", "bops=1.2e9", "latency=0.25@w4:w8", "energy=0.5x"}) {
    ExpectCleanAnswers(text, [](const std::string& mutant) {
      const absl::StatusOr<BudgetSpec> spec = pipeline::ParseBudget(mutant);
      if (spec.ok()) {
        EXPECT_EQ(pipeline::ParseBudget(pipeline::FormatBudget(*spec)).value(), *spec) << mutant;
      }
      return spec.status();
    });
  }
}

}  // namespace
}  // namespace bitplan
