#include "search/hardware/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "search/base/digest.h"
#include "search/base/status.h"

namespace bitplan {
namespace {

using hardware::ParseProfile;
using hardware::ParseWidths;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// Every field a profile can have: a table by name, a table by signature.
constexpr std::string_view kFull = R"({
  "format": "bitplan.profile/1",
  "name": "test-device",
  "description": "A device",
  "provenance": {"source": "us", "date": "2024-05-06", "citation": "bench run 7", "notes": "rounded"},
  "supported": ["w4a4", "w8a8"],
  "size": {"unit": "bits", "scale_bits": 16},
  "bops": {"unit": "operations"},
  "measured": [
    {"resource": "latency", "unit": "ns", "batch_size": 8, "network": "net", "layers": [
      {"layer": "conv1", "num_weights": 100, "macs": 1000, "amounts": {"w4a4": 10, "w8a8": 20}}]},
    {"resource": "energy", "unit": "pJ", "batch_size": 1, "layers": [
      {"kind": "conv", "weight_shape": [4, 3, 3, 3], "macs": 500, "amounts": {"w8a8": 7}}]}
  ]
})";

// kFull with the first `from` replaced; the test fails if it is not there.
std::string With(std::string_view from, std::string_view to) {
  std::string text(kFull);
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

std::string ErrorOf(const std::string& json) {
  const absl::Status status = ParseProfile(json).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  return MessageOf(status);
}

TEST(ParseProfile, ReadsEveryField) {
  const absl::StatusOr<HardwareProfile> profile = ParseProfile(kFull);
  ASSERT_TRUE(profile.ok()) << profile.status();
  EXPECT_EQ(profile->name, "test-device");
  EXPECT_EQ(profile->provenance.date, "2024-05-06");
  EXPECT_THAT(*profile->supported, ElementsAre(Widths{4, 4}, Widths{8, 8}));
  EXPECT_EQ(profile->size->scale_bits, 16);
  EXPECT_TRUE(profile->bops.has_value());
  ASSERT_EQ(profile->measured.size(), 2);
  EXPECT_EQ(profile->measured[0].batch_size, 8);
  EXPECT_EQ(profile->measured[0].layers[0].amounts.at({4, 4}), 10);
  EXPECT_EQ(profile->measured[1].layers[0].kind, LayerKind::kConv);
  EXPECT_THAT(profile->measured[1].layers[0].weight_shape, ElementsAre(4, 3, 3, 3));
  EXPECT_EQ(profile->digest, Sha256Hex(kFull));
  EXPECT_THAT(hardware::PricedResources(*profile),
              ElementsAre(Resource::kSize, Resource::kBops, Resource::kLatency, Resource::kEnergy));
}

TEST(ParseProfile, ErrorsNameTheField) {
  EXPECT_EQ(ErrorOf(With("profile/1", "profile/2")),
            "profile.format: got 'bitplan.profile/2', want 'bitplan.profile/1'");
  EXPECT_EQ(ErrorOf(With("test-device", "../etc")),
            "profile.name: got '../etc', want lower-case letters, digits and '-', at most 63");
  EXPECT_EQ(ErrorOf(With("2024-05-06", "May 2024")),
            "profile.provenance.date: got 'May 2024', want YYYY, YYYY-MM or YYYY-MM-DD");
  EXPECT_EQ(ErrorOf(With("bench run 7", "")), "profile.provenance.citation: got an empty text, want one");
  EXPECT_EQ(ErrorOf(With("\"unit\": \"ns\"", "\"unit\": \"ms\"")), "profile.measured[0].unit: got 'ms', want 'ns'");
  EXPECT_EQ(ErrorOf(With("\"unit\": \"bits\"", "\"unit\": \"bytes\"")), "profile.size.unit: got 'bytes', want 'bits'");
  EXPECT_EQ(ErrorOf(With("\"w4a4\": 10", "\"w4a4\": 0")),
            "profile.measured[0].layers[0].amounts.w4a4: got 0, want 1..9007199254740992");
  EXPECT_EQ(ErrorOf(With("\"w4a4\": 10", "\"w4a4\": 10.5")),
            "profile.measured[0].layers[0].amounts.w4a4: got number, want an integer");
  EXPECT_EQ(ErrorOf(With("\"w4a4\": 10", "\"4/4\": 10")),
            "profile.measured[0].layers[0].amounts.4/4: got '4/4', want widths such as 'w8a8', 1..32 each");
  EXPECT_EQ(
      ErrorOf(With("\"network\": \"net\"", "\"net\": 1")),
      "profile.measured[0]: unknown field 'net', want only batch_size, interpolation, layers, network, resource, unit");
  EXPECT_EQ(ErrorOf(With("[\"w4a4\", \"w8a8\"]", "[]")),
            "profile.supported: got no widths, want 'any' or at least one such as 'w8a8'");
  EXPECT_EQ(ErrorOf(With("[\"w4a4\", \"w8a8\"]", "[\"w8a8\", \"w8a8\"]")), "profile.supported[1]: comes twice");
}

// Models of a device, each field once.
constexpr std::string_view kModels = R"({
  "format": "bitplan.profile/1",
  "name": "models",
  "description": "A device",
  "provenance": {"source": "us", "date": "2024", "citation": "data sheet"},
  "supported": ["w4a4", "w8a8"],
  "rules": [{"kinds": ["conv"], "of_widths": ["w4a4"], "widths": ["w4a4"], "schemes": ["symmetric"],
             "granularities": ["per_group"], "group_sizes": [32], "reason": "kernels"}],
  "size": {"unit": "bits", "scale_bits": 16, "zero_point_bits": 8, "code_widths": [4, 8], "row_alignment_bytes": 16},
  "roofline": {"unit": "ns", "batch_size": 8, "bytes_per_second": 1000, "launch_overhead_ns": 5,
               "rates": [{"kind": "conv", "widths": "w8a8", "macs_per_second": 7}], "bit_macs_per_second": 64},
  "energy": {"unit": "pJ", "batch_size": 8, "femtojoules_per_byte": 3, "femtojoules_per_mac": {"w8a8": 200},
             "femtojoules_per_bit_mac": 2},
  "memory": {"unit": "bytes", "min_activation_bits": 4, "alignment_bytes": 64, "weights_resident": true},
  "boundary": {"overhead_ns": 9, "bytes_per_second": 10, "femtojoules_per_byte": 11},
  "limits": {"flash_bytes": 1048576, "sram_bytes": 327680},
  "measured": [{"resource": "latency", "unit": "ns", "batch_size": 8, "interpolation": "widths", "layers": [
      {"layer": "a", "num_weights": 1, "macs": 1, "amounts": {"w8a8": 1}}]}]
})";

TEST(ParseProfile, ReadsModels) {
  const absl::StatusOr<HardwareProfile> profile = ParseProfile(kModels);
  ASSERT_TRUE(profile.ok()) << profile.status();
  ASSERT_EQ(profile->rules.size(), 1);
  EXPECT_THAT(profile->rules[0].kinds, ElementsAre(LayerKind::kConv));
  EXPECT_THAT(profile->rules[0].group_sizes, ElementsAre(32));
  EXPECT_EQ(profile->size->zero_point_bits, 8);
  EXPECT_THAT(profile->size->code_widths, ElementsAre(4, 8));
  EXPECT_EQ(profile->size->row_alignment_bytes, 16);
  EXPECT_EQ(profile->roofline->bytes_per_second, 1000);
  EXPECT_EQ(profile->roofline->launch_overhead_ns, 5);
  EXPECT_EQ(profile->roofline->rates[0].kind, LayerKind::kConv);
  EXPECT_EQ(profile->roofline->bit_macs_per_second, 64);
  EXPECT_EQ(profile->energy->macs[0].femtojoules, 200);
  EXPECT_EQ(profile->memory->alignment_bytes, 64);
  EXPECT_TRUE(profile->memory->weights_resident);
  EXPECT_EQ(profile->boundary->femtojoules_per_byte, 11);
  EXPECT_EQ(profile->limits->sram_bytes, 327680);
  EXPECT_EQ(profile->measured[0].interpolation, Interpolation::kWidths);
  EXPECT_THAT(hardware::PricedResources(*profile),
              ElementsAre(Resource::kSize, Resource::kLatency, Resource::kMemory, Resource::kEnergy));
}

TEST(ParseProfile, ErrorsInModelsNameTheField) {
  const auto error = [](std::string_view from, std::string_view to) {
    std::string text(kModels);
    const size_t at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    return ErrorOf(text.replace(at, from.size(), to));
  };
  EXPECT_EQ(error("[4, 8]", "[8, 4]"), "profile.size.code_widths: want ascending widths");
  EXPECT_EQ(error("[4, 8]", "[]"), "profile.size.code_widths: is empty, want at least one or no list");
  EXPECT_EQ(error("\"kinds\": [\"conv\"]", "\"kinds\": [\"convolution\"]"),
            "profile.rules[0].kinds[0]: kind: got 'convolution', want one of conv, conv_transpose, gemm, matmul, "
            "embedding, recurrent, other");
  EXPECT_EQ(error("\"reason\": \"kernels\"", "\"reason\": \"\""),
            "profile.rules[0].reason: got an empty text, want one");
  EXPECT_EQ(error("\"macs_per_second\": 7", "\"macs_per_second\": 0"),
            "profile.roofline.rates[0].macs_per_second: got 0, want 1..9007199254740992");
  EXPECT_EQ(error("\"widths\": \"w8a8\", \"macs", "\"widths\": \"8/8\", \"macs"),
            "profile.roofline.rates[0].widths: got '8/8', want widths such as 'w8a8', 1..32 each");
  EXPECT_EQ(error("\"min_activation_bits\": 4", "\"min_activation_bits\": 5"),
            "profile.memory.min_activation_bits: got 5, want a power of two");
  EXPECT_EQ(error("\"flash_bytes\": 1048576", "\"flash\": 1"),
            "profile.limits: unknown field 'flash', want only flash_bytes, sram_bytes");
  EXPECT_EQ(error("\"batch_size\": 8, \"bytes", "\"batch_size\": 1, \"bytes"),
            "profile.measured[0]: batch_size 8 differs from that of the profile's estimate, 1: amounts of both are "
            "added");
  EXPECT_EQ(error("\"interpolation\": \"widths\"", "\"interpolation\": \"linear\""),
            "profile.measured[0].interpolation: got 'linear', want 'widths' or 'none'");
}

TEST(ParseProfile, InterpolationNeedsAnEstimate) {
  EXPECT_EQ(
      ErrorOf(With("\"batch_size\": 8, \"network\"", "\"batch_size\": 8, \"interpolation\": \"widths\", \"network\"")),
      "profile.measured[0]: interpolation of latency needs the profile's roofline, and is of latency or energy "
      "only");
}

TEST(ParseProfile, RefusesTwoPricesOfOneResource) {
  EXPECT_EQ(ErrorOf(With("\"resource\": \"energy\", \"unit\": \"pJ\"", "\"resource\": \"size\", \"unit\": \"bits\"")),
            "profile.measured[1]: size is priced already, want one model or table a resource");
}

TEST(ParseProfile, RefusesAProfileThatPricesNothing) {
  EXPECT_EQ(ErrorOf(R"({"format": "bitplan.profile/1", "name": "x", "description": "d", "supported": "any",
                        "provenance": {"source": "s", "date": "2024", "citation": "c"}, "measured": []})"),
            "profile.measured: the profile prices nothing, want size, bops, an estimate or a measured table");
}

TEST(ParseProfile, RefusesWhatIsNoProfile) {
  EXPECT_THAT(ErrorOf(""), HasSubstr("not JSON"));
  EXPECT_EQ(ErrorOf("{}"), "profile: missing field 'format'");
  EXPECT_EQ(ErrorOf("[]"), "profile: got array, want an object");
  EXPECT_THAT(ErrorOf(std::string(hardware::kMaxProfileBytes + 1, ' ')), HasSubstr("want at most 1048576"));
}

TEST(ParseWidths, ReadsWhatToStringWrites) {
  EXPECT_EQ(ParseWidths(hardware::ToString(Widths{3, 16})).value(), (Widths{3, 16}));
  for (const std::string_view text : {"", "w", "w4", "a4w4", "w4a", "w0a4", "w04a4", "w4a33", "w4a4 ", "w-4a4"}) {
    EXPECT_FALSE(ParseWidths(text).ok()) << text;
  }
}

}  // namespace
}  // namespace bitplan
