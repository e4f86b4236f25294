#include "search/hardware/support.h"

#include <gtest/gtest.h>

#include "search/base/status.h"

namespace bitplan::hardware {
namespace {

Layer Named(const char* name, LayerKind kind) { return {.name = name, .kind = kind}; }

HardwareProfile EightBits() {
  HardwareProfile profile{.name = "p", .supported = {{{8, 8}, {4, 8}}}};
  profile.rules.push_back({.kinds = {LayerKind::kConv}, .widths = {{8, 8}}, .reason = "no 4-bit convolutions"});
  profile.rules.push_back({.of_widths = {{4, 8}},
                           .schemes = {"symmetric"},
                           .granularities = {Granularity::kPerGroup},
                           .group_sizes = {32, 64},
                           .reason = "the kernel"});
  return profile;
}

TEST(WhyUnsupported, SaysWhatCameWhatIsWantedAndWhy) {
  const HardwareProfile profile = EightBits();
  const Layer conv = Named("c", LayerKind::kConv);
  const Layer gemm = Named("g", LayerKind::kGemm);
  const auto why = [&](const Layer& layer, const Option& option) { return WhyUnsupported(layer, option, profile); };
  EXPECT_EQ(why(conv, {}), "");
  EXPECT_EQ(why(conv, {.weight_bits = 3}), "w3a8 (want w8a8, w4a8): the device has no such widths");
  EXPECT_EQ(why(conv, {.weight_bits = 4}), "w4a8 (want w8a8): no 4-bit convolutions");
  EXPECT_EQ(why(gemm, {.weight_bits = 4, .scheme = "affine"}), "scheme affine (want symmetric): the kernel");
  EXPECT_EQ(why(gemm, {.weight_bits = 4}), "per_channel (want per_group): the kernel");
  EXPECT_EQ(why(gemm, {.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 16}),
            "groups of 16 (want 32, 64): the kernel");
  EXPECT_EQ(why(gemm, {.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 64}), "");
  EXPECT_EQ(why(gemm, {.weight_bits = 4, .scheme = "given"}), "");
}

TEST(CheckSupported, NamesLayersWithoutAnOption) {
  const LayerTable layers{{Named("c", LayerKind::kConv), Named("g", LayerKind::kGemm)}};
  const Option w4{.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 32};
  EXPECT_TRUE(CheckSupported(layers, {{{w4, {}}, {w4}}}, EightBits()).ok());
  const absl::Status status = CheckSupported(layers, {{{w4}, {w4}}}, EightBits());
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(MessageOf(status),
            "profile 'p' supports no option of 1 of 2 layers: 'c': w4a8 (want w8a8): no 4-bit convolutions. Ask for "
            "widths, schemes and granularities that it has (--bits, --activation-bits, --schemes, --granularities), or "
            "use another profile");
}

}  // namespace
}  // namespace bitplan::hardware
