// Conformance of every profile in search/hardware/profiles; a new file is tested without a new line here.
#include "search/hardware/shipped_profiles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string>

#include "search/base/status.h"
#include "search/hardware/price.h"

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

TEST_P(ShippedProfileTest, PricesSizeAndBopsThatGrowWithBits) {
  const HardwareProfile profile = Profile();
  const Layer layer{
      .name = "x", .kind = LayerKind::kConv, .weight_shape = {8, 4, 3, 3}, .num_weights = 288, .macs = 1000};
  std::vector<Widths> widths = profile.supported.value_or(std::vector<Widths>{{2, 2}, {3, 3}, {4, 4}, {8, 8}});
  std::ranges::sort(widths);
  OptionTable options{{{}}};
  for (const Widths& pair : widths) options.options[0].push_back({pair.weight_bits, pair.activation_bits});
  const CostTable costs = Price({{layer}}, options, profile).value();
  for (size_t k = 1; k < widths.size(); ++k) {
    EXPECT_LE(costs.costs[0][k - 1].at(Resource::kSize), costs.costs[0][k].at(Resource::kSize));
    EXPECT_LT(costs.costs[0][k - 1].at(Resource::kBops), costs.costs[0][k].at(Resource::kBops));
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
  EXPECT_EQ(MessageOf(status), "profile: got 'nvidia-t5', want one of generic, nvidia-t4");
}

// Sums of HAWQ-v3's published figures over the 19 inner layers of ResNet18: 3.14867227 ms and 5.34368732 ms. The
// profile rounds each layer to the nanosecond.
TEST(NvidiaT4, HasThePublishedLatencies) {
  const HardwareProfile profile = FindShippedProfile("nvidia-t4").value();
  ASSERT_EQ(profile.measured.size(), 1);
  ASSERT_EQ(profile.measured[0].layers.size(), 19);
  int64_t w4 = 0;
  int64_t w8 = 0;
  for (const MeasuredLayer& layer : profile.measured[0].layers) {
    w4 += layer.amounts.at({4, 4});
    w8 += layer.amounts.at({8, 8});
  }
  EXPECT_EQ(w4, 3'148'673);
  EXPECT_EQ(w8, 5'343'687);
  EXPECT_EQ(profile.measured[0].layers[0].amounts.at({4, 4}), 210944);  // published: 0.21094404 ms
}

}  // namespace
}  // namespace bitplan::hardware
