// Conformance of every profile in search/hardware/profiles; a new file is tested without a new line here.
#include "search/hardware/shipped_profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "search/base/status.h"
#include "search/hardware/estimate.h"
#include "search/hardware/price.h"
#include "search/hardware/support.h"

namespace bitplan::hardware {
namespace {

class ShippedProfileTest : public ::testing::TestWithParam<ShippedProfile> {
 protected:
  HardwareProfile Profile() const { return ParseProfile(GetParam().json).value(); }
};

TEST_P(ShippedProfileTest, Parses) {
  const absl::StatusOr<HardwareProfile> profile = ParseProfile(GetParam().json);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->name, GetParam().name) << "file name and name in the document differ";
}

TEST_P(ShippedProfileTest, IsTheFile) {
  std::ifstream file(fmt::format("{}/search/hardware/profiles/{}.json", BITPLAN_SOURCE_DIR, GetParam().name));
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), GetParam().json);
}

TEST_P(ShippedProfileTest, SaysWhereItsNumbersComeFrom) {
  const ProfileProvenance provenance = Profile().provenance;
  EXPECT_FALSE(provenance.source.empty());
  EXPECT_FALSE(provenance.citation.empty());
  EXPECT_FALSE(provenance.date.empty());
  EXPECT_EQ(std::string(GetParam().json).find("http"), std::string::npos) << "cite the work, not a link that may die";
}

// Layers of each kind with activations, and an option for each of the profile's widths, scheme and granularity by the
// rules.
OptionTable SupportedOptions(const HardwareProfile& profile, const Layer& layer) {
  std::vector<Widths> widths = profile.supported.value_or(std::vector<Widths>{{2, 2}, {3, 3}, {4, 4}, {8, 8}});
  std::ranges::sort(widths);
  OptionTable options{{{}}};
  for (const Widths& pair : widths) {
    for (const char* scheme : {"symmetric", "nvfp4", "kmeans"}) {
      Option option{.weight_bits = pair.weight_bits, .activation_bits = pair.activation_bits, .scheme = scheme};
      option.granularity = scheme == std::string("nvfp4") ? Granularity::kPerGroup : Granularity::kPerTensor;
      option.group_size = scheme == std::string("nvfp4") ? 16 : 0;
      if (!WhyUnsupported(layer, option, profile).empty()) continue;
      options.options[0].push_back(option);
      break;
    }
  }
  return options;
}

// What the device says it does not run is not priced, and some option of each common kind of layer is.
TEST_P(ShippedProfileTest, SupportsCommonLayersOfPositivePrices) {
  const HardwareProfile profile = Profile();
  for (const LayerKind kind : {LayerKind::kConv, LayerKind::kGemm, LayerKind::kMatMul}) {
    const Layer layer{.name = "x",
                      .kind = kind,
                      .weight_shape = {64, 32},
                      .num_weights = 2048,
                      .macs = 1'000'000,
                      .input_elements = 5000,
                      .output_elements = 7000};
    const OptionTable options = SupportedOptions(profile, layer);
    ASSERT_FALSE(options.options[0].empty()) << bitplan::ToString(kind);
    const CostTable costs = Price({{layer}}, options, profile).value();
    for (size_t k = 0; k < options.options[0].size(); ++k) {
      for (const Resource resource : PricedResources(profile)) {
        if (resource == Resource::kLatency && !profile.roofline) continue;
        if (resource == Resource::kMemory) continue;  // a maximum over the execution, no layer's
        ASSERT_TRUE(costs.costs[0][k].contains(resource)) << Label(options.options[0][k]);
        EXPECT_GT(costs.costs[0][k].at(resource), 0) << Label(options.options[0][k]);
      }
    }
  }
}

// Fewer bits of weights at equal activations, and fewer of both, never take more time or energy.
TEST_P(ShippedProfileTest, NarrowerIsNeverSlowerOrHungrier) {
  const HardwareProfile profile = Profile();
  for (const int64_t macs : {int64_t{1}, int64_t{1'000'000}, int64_t{10'000'000'000}}) {
    const Layer layer{.name = "x",
                      .kind = LayerKind::kMatMul,
                      .weight_shape = {512, 512},
                      .num_weights = 262144,
                      .macs = macs,
                      .input_elements = 5000,
                      .output_elements = 7000};
    const OptionTable options = SupportedOptions(profile, layer);
    const CostTable costs = Price({{layer}}, options, profile).value();
    for (size_t a = 0; a < options.options[0].size(); ++a) {
      for (size_t b = 0; b < options.options[0].size(); ++b) {
        const Option& narrow = options.options[0][a];
        const Option& wide = options.options[0][b];
        if (narrow.weight_bits > wide.weight_bits || narrow.activation_bits > wide.activation_bits) continue;
        for (const Resource resource : {Resource::kLatency, Resource::kEnergy}) {
          if (!costs.costs[0][a].contains(resource)) continue;
          EXPECT_LE(costs.costs[0][a].at(resource), costs.costs[0][b].at(resource)) << Label(narrow) << Label(wide);
        }
      }
    }
  }
}

TEST_P(ShippedProfileTest, RatesAreOfSupportedWidths) {
  const HardwareProfile profile = Profile();
  if (!profile.roofline || !profile.supported) return;
  for (const Widths& widths : *profile.supported) {
    EXPECT_TRUE(HasEstimate(profile, Resource::kLatency, LayerKind::kConv, widths)) << ToString(widths);
  }
  for (const ComputeRate& rate : profile.roofline->rates) {
    EXPECT_EQ(std::ranges::count(*profile.supported, rate.widths), 1) << ToString(rate.widths);
  }
}

TEST_P(ShippedProfileTest, PricesSizeAndBopsThatGrowWithBits) {
  const HardwareProfile profile = Profile();
  const Layer layer{
      .name = "x", .kind = LayerKind::kConv, .weight_shape = {8, 4, 3, 3}, .num_weights = 288, .macs = 1000};
  const OptionTable options = SupportedOptions(profile, layer);
  const std::vector<Option>& row = options.options[0];
  const CostTable costs = Price({{layer}}, options, profile).value();
  for (size_t k = 1; k < row.size(); ++k) {
    if (row[k - 1].activation_bits <= row[k].activation_bits) {
      EXPECT_LT(costs.costs[0][k - 1].at(Resource::kBops), costs.costs[0][k].at(Resource::kBops));
    }
    if (row[k - 1].scheme != row[k].scheme) continue;
    EXPECT_LE(costs.costs[0][k - 1].at(Resource::kSize), costs.costs[0][k].at(Resource::kSize));
  }
}

TEST_P(ShippedProfileTest, MeasuredWidthsAreSupportedAndWiderIsNotFaster) {
  const HardwareProfile profile = Profile();
  for (const MeasuredTable& table : profile.measured) {
    for (const MeasuredLayer& layer : table.layers) {
      int64_t before = 0;
      for (const auto& [widths, amount] : layer.amounts) {
        EXPECT_TRUE(!profile.supported || std::ranges::count(*profile.supported, widths) == 1) << ToString(widths);
        EXPECT_GT(amount, before) << layer.layer << " " << ToString(widths);
        before = amount;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, ShippedProfileTest,
                         ::testing::ValuesIn(ShippedProfiles().begin(), ShippedProfiles().end()), [](const auto& info) {
                           std::string name(info.param.name);
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST(FindShippedProfile, FindsTheDefault) { EXPECT_TRUE(FindShippedProfile(kDefaultProfile).ok()); }

TEST(FindShippedProfile, ListsTheNames) {
  const absl::Status status = FindShippedProfile("nvidia-t5").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MessageOf(status),
            "profile: got 'nvidia-t5', want one of apple-ane-like, arm-cortex-m, edge-tpu, fpga-like, "
            "gap8, generic, nvidia-a100, nvidia-b200, nvidia-h100, nvidia-t4, x86-avx512-vnni");
}

// Sums of HAWQ-v3's published figures over the 19 inner layers of ResNet18, 3.14867227 ms and 5.34368732 ms, and over
// the 52 of ResNet50. The profile rounds each layer to the nanosecond.
TEST(NvidiaT4, HasThePublishedLatencies) {
  const HardwareProfile profile = FindShippedProfile("nvidia-t4").value();
  ASSERT_EQ(profile.measured.size(), 1);
  std::map<bool, std::array<int64_t, 3>> sums;  // by whether it is ResNet50: layers, w4a4, w8a8
  for (const MeasuredLayer& layer : profile.measured[0].layers) {
    if (layer.layer.empty()) continue;
    std::array<int64_t, 3>& sum = sums[layer.layer.starts_with("resnet50.")];
    sum = {sum[0] + 1, sum[1] + layer.amounts.at({4, 4}), sum[2] + layer.amounts.at({8, 8})};
  }
  EXPECT_EQ(sums[false], (std::array<int64_t, 3>{19, 3'148'673, 5'343'687}));
  EXPECT_EQ(sums[true], (std::array<int64_t, 3>{52, 7'659'932, 11'865'363}));
  EXPECT_EQ(profile.measured[0].layers[0].amounts.at({4, 4}), 210944);  // published: 0.21094404 ms
}

// An entry by shape has the largest figure of the named layers of that size.
TEST(NvidiaT4, PricesShapesByTheSlowestPublishedLayer) {
  const HardwareProfile profile = FindShippedProfile("nvidia-t4").value();
  const Layer layer{.name = "mine",
                    .kind = LayerKind::kConv,
                    .weight_shape = {64, 64, 3, 3},
                    .num_weights = 36864,
                    .macs = 115605504};
  const CostTable costs = Price({{layer}}, {{{{4, 4}, {8, 8}}}}, profile).value();
  EXPECT_EQ(costs.costs[0][0].at(Resource::kLatency), 224818);  // ResNet50, stage 1, unit 1: 0.22481827 ms
  EXPECT_EQ(costs.costs[0][1].at(Resource::kLatency), 362117);  // ResNet18, stage 1, unit 1: 0.36211718 ms
  EXPECT_EQ(costs.sources[0][0].at(Resource::kLatency), CostSource::kMeasured);
}

}  // namespace
}  // namespace bitplan::hardware
