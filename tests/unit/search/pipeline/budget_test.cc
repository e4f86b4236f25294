#include "search/pipeline/budget.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "search/base/status.h"

namespace bitplan {
namespace {

using pipeline::FormatBudget;
using pipeline::ParseBudget;
using pipeline::ResolveBudget;
using pipeline::UniformTotal;
using ::testing::HasSubstr;

int64_t LimitOf(std::string_view text) {
  const absl::StatusOr<BudgetSpec> spec = ParseBudget(text);
  EXPECT_TRUE(spec.ok()) << spec.status();
  return spec.ok() ? std::get<AbsoluteLimit>(spec->amount).limit : -1;
}

std::string ErrorOf(std::string_view text) {
  const absl::Status status = ParseBudget(text).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << text;
  return MessageOf(status);
}

TEST(ParseBudget, ReadsEveryUnitInBaseUnits) {
  EXPECT_EQ(LimitOf("size=1MiB"), 8'388'608);
  EXPECT_EQ(LimitOf("size=500kB"), 4'000'000);
  EXPECT_EQ(LimitOf("size=1.5B"), 12);
  EXPECT_EQ(LimitOf("size=7bit"), 7);
  EXPECT_EQ(LimitOf("size=2Mbit"), 2'000'000);
  EXPECT_EQ(LimitOf("memory=64KiB"), 65'536);
  EXPECT_EQ(LimitOf("bops=1.2G"), 1'200'000'000);
  EXPECT_EQ(LimitOf("bops=12345"), 12'345);
  EXPECT_EQ(LimitOf("bops=1e9"), 1'000'000'000);
  EXPECT_EQ(LimitOf("bops=9007199254740993"), 9'007'199'254'740'993);
  EXPECT_EQ(LimitOf("latency=3.5ms"), 3'500'000);
  EXPECT_EQ(LimitOf("latency=0.9999ns"), 0);
  EXPECT_EQ(LimitOf("energy=2uJ"), 2'000'000);
  EXPECT_EQ(LimitOf("size=0B"), 0);
}

TEST(ParseBudget, ReadsRelativeAndInterpolated) {
  EXPECT_EQ(ParseBudget("size=0.5x").value(), (BudgetSpec{Resource::kSize, RelativeLimit{0.5}}));
  EXPECT_EQ(ParseBudget("bops=0.25@w4:w8").value(), (BudgetSpec{Resource::kBops, InterpolatedLimit{0.25, 4, 8}}));
  EXPECT_EQ(ParseBudget("latency=1@w2:w6").value(), (BudgetSpec{Resource::kLatency, InterpolatedLimit{1, 2, 6}}));
}

TEST(ParseBudget, ReadsWhatTheDeviceHas) {
  EXPECT_EQ(ParseBudget("memory=device").value(), (BudgetSpec{Resource::kMemory, DeviceLimit{}}));
  EXPECT_EQ(pipeline::FormatBudget({Resource::kSize, DeviceLimit{}}), "size=device");
  EXPECT_THAT(MessageOf(ParseBudget("latency=device").status()), HasSubstr("not of latency"));
}

TEST(ParseBudget, ReadsLowerLimits) {
  const BudgetSpec lower{Resource::kSize, RelativeLimit{0.5}, BudgetSense::kAtLeast};
  EXPECT_EQ(ParseBudget("size>=0.5x").value(), lower);
  EXPECT_EQ(pipeline::FormatBudget(lower), "size>=0.5x");
  EXPECT_EQ(ParseBudget("size<=0.5x").value(), ParseBudget("size=0.5x").value());
}

TEST(ParseBudget, SaysWhatCameAndWhatIsAccepted) {
  EXPECT_EQ(ErrorOf("size=1"),
            "budget 'size=1': got '1', want a number >= 0 with a unit (bit, kbit, Mbit, Gbit, B, kB, MB, GB, KiB, MiB, "
            "GiB), a part of uniform 8 bit such as 0.5x, or a fraction such as 0.25@w4:w8");
  EXPECT_EQ(ErrorOf("0.5x"), "budget '0.5x': want <resource>=<amount> such as size=0.5x");
  EXPECT_EQ(ErrorOf("speed=1"),
            "budget 'speed=1': resource: got 'speed', want one of size, bops, latency, memory, energy, traffic");
  EXPECT_EQ(ErrorOf("size=1e30x"), "budget 'size=1e+30x': got a factor of 1e+30, want more than 0 and at most 16");
  EXPECT_EQ(ErrorOf("size=0x"), "budget 'size=0x': got a factor of 0, want more than 0 and at most 16");
  EXPECT_EQ(ErrorOf("size=1e30GiB"), "budget 'size=1e30GiB': more than 2^63 bits");
  EXPECT_EQ(ErrorOf("size=1.1@w4:w8"), "budget 'size=1.1@w4:w8': got a fraction of 1.1, want 0..1");
  EXPECT_EQ(ErrorOf("size=0.5@w8:w4"),
            "budget 'size=0.5@w8:w4': got w8:w4, want two widths in 2..8, the smaller first");
}

TEST(ParseBudget, RefusesAbsurdAmounts) {
  for (const std::string_view text : {"size=",
                                      "size=-1MiB",
                                      "size=nanx",
                                      "size=NaN",
                                      "size=infx",
                                      "size=-0.5x",
                                      "size=1 MiB",
                                      "size=1mib",
                                      "size=x",
                                      "size=1e999x",
                                      "bops=1Q",
                                      "latency=5m",
                                      "latency=3,5ms",
                                      "size=0.25@",
                                      "size=@w4:w8",
                                      "size=0.25@w4",
                                      "size=0.25@4:8",
                                      "size=0.25@w4:w99999999999",
                                      "size=0.25@w4:w8:w9",
                                      "=",
                                      "==",
                                      "size==1B"}) {
    EXPECT_THAT(ErrorOf(text), HasSubstr("budget '")) << text;
  }
}

TEST(FormatBudget, IsReadBack) {
  for (const std::string_view text : {"size=8388608bit", "bops=12345", "latency=3500000ns", "memory=65536B",
                                      "energy=7pJ", "size=0.5x", "bops=0.25@w4:w8", "latency=0.1@w2:w6"}) {
    EXPECT_EQ(FormatBudget(ParseBudget(text).value()), text);
  }
}

TEST(ValidateBudget, RefusesWhatNoTextCanSay) {
  EXPECT_FALSE(pipeline::ValidateBudget({Resource::kSize, AbsoluteLimit{-1}}).ok());
  EXPECT_FALSE(
      pipeline::ValidateBudget({Resource::kSize, RelativeLimit{std::numeric_limits<double>::quiet_NaN()}}).ok());
  EXPECT_FALSE(
      pipeline::ValidateBudget({Resource::kSize, InterpolatedLimit{std::numeric_limits<double>::quiet_NaN()}}).ok());
}

// Two layers. Sizes: a: w4a4 10, w8a8 21; b: w4a4 30, w8a8 55, w8a4 40, w8 per tensor 50. Uniform 4: 40; uniform 8: 71
// (w8a4 does not count, the cheaper of the two w8a8 does).
struct Tables {
  LayerTable layers{{Layer{.name = "a"}, Layer{.name = "b"}}};
  OptionTable options{{{Option{4, 4}, Option{8, 8}},
                       {Option{4, 4}, Option{8, 8}, Option{8, 4}, Option{8, 8, "symmetric", Granularity::kPerTensor}}}};
  CostTable costs{
      .resources = {{Resource::kSize, "profile 'p'"}},
      .costs = {{{{Resource::kSize, 10}}, {{Resource::kSize, 21}}},
                {{{Resource::kSize, 30}}, {{Resource::kSize, 55}}, {{Resource::kSize, 40}}, {{Resource::kSize, 50}}}},
      .profile = "p",
      .coverage = "size"};

  absl::StatusOr<int64_t> Resolve(std::string_view text) const {
    return ResolveBudget(ParseBudget(text).value(), layers, options, costs);
  }
};

TEST(UniformTotal, TakesTheCheapestOptionOfEqualWidths) {
  const Tables t;
  EXPECT_EQ(UniformTotal(t.layers, t.options, t.costs, Resource::kSize, 4).value(), 40);
  EXPECT_EQ(UniformTotal(t.layers, t.options, t.costs, Resource::kSize, 8).value(), 71);
}

TEST(UniformTotal, CountsOtherActivationWidthsWhereThereAreNoEqualOnes) {
  Tables t;
  for (auto& layer : t.options.options) {
    for (Option& option : layer) option.activation_bits = 16;
  }
  EXPECT_EQ(UniformTotal(t.layers, t.options, t.costs, Resource::kSize, 8).value(), 61);
}

TEST(UniformTotal, NamesLayersWithoutTheWidth) {
  const Tables t;
  EXPECT_EQ(MessageOf(UniformTotal(t.layers, t.options, t.costs, Resource::kSize, 6).status()),
            "no size of uniform 6 bit: no option of that width with a known cost in layers 'a', 'b'");
}

TEST(ResolveBudget, RoundsDownExactly) {
  const Tables t;
  EXPECT_EQ(t.Resolve("size=33bit").value(), 33);
  EXPECT_EQ(t.Resolve("size=0.5x").value(), 35);        // 35.5
  EXPECT_EQ(t.Resolve("size=0.25@w4:w8").value(), 47);  // 40 + 7.75
  EXPECT_EQ(t.Resolve("size=0@w4:w8").value(), 40);
  EXPECT_EQ(t.Resolve("size=1@w4:w8").value(), 71);
  Tables ten;
  ten.costs.costs[0][1][Resource::kSize] = 5;
  ten.costs.costs[1][3][Resource::kSize] = 5;
  EXPECT_EQ(ten.Resolve("size=0.7x").value(), 7);  // the double 0.7 is below 7/10
}

TEST(ResolveBudget, RefusesResourcesWithoutAPrice) {
  const Tables t;
  const absl::Status status = t.Resolve("latency=1ms").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status),
            "budget 'latency=1000000ns': profile 'p' has no latency for these layers, only size. It knows size");
}

TEST(ResolveBudget, TakesWhatTheDeviceHas) {
  Tables t;
  EXPECT_THAT(MessageOf(t.Resolve("size=device").status()), HasSubstr("'p' does not say how much flash"));
  t.costs.limits.flash_bytes = 5;
  EXPECT_EQ(*t.Resolve("size=device"), 40);
}

TEST(ResolveBudget, RefusesInterpolationThatRunsBackwards) {
  Tables t;
  t.costs.costs[0][0][Resource::kSize] = 1000;
  EXPECT_THAT(MessageOf(t.Resolve("size=0.5@w4:w8").status()),
              HasSubstr("uniform 4 bit uses 1030, more than uniform 8 bit (71)"));
}

TEST(ResolveBudget, RefusesLimitsThatDoNotFit) {
  Tables t;
  t.costs.costs[0][1][Resource::kSize] = std::numeric_limits<int64_t>::max() / 2;
  EXPECT_THAT(MessageOf(t.Resolve("size=3x").status()), HasSubstr("does not fit in 63 bits"));
}

}  // namespace
}  // namespace bitplan
