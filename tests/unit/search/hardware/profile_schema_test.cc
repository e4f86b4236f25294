#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "search/hardware/shipped_profiles.h"
#include "tests/testing/golden_file.h"
#include "tests/testing/json_schema.h"

namespace bitplan {
namespace {

TEST(ProfileSchema, HoldsForEveryShippedProfile) {
  const std::string schema = testing::ReadFile(BITPLAN_SOURCE_DIR "/docs/formats/profile.schema.json");
  for (const hardware::ShippedProfile& profile : hardware::ShippedProfiles()) {
    EXPECT_EQ(testing::SchemaViolation(profile.json, schema), "") << profile.name;
  }
}

// What the parser refuses, the schema refuses too.
TEST(ProfileSchema, RefusesWhatTheParserRefuses) {
  const std::string schema = testing::ReadFile(BITPLAN_SOURCE_DIR "/docs/formats/profile.schema.json");
  std::string sound;
  for (const hardware::ShippedProfile& profile : hardware::ShippedProfiles()) {
    if (profile.name == "nvidia-t4") sound = profile.json;
  }
  for (const auto& [from, to] : {std::pair("\"ns\"", "\"ms\""), std::pair("w4a4", "4/4"), std::pair("210944", "0"),
                                 std::pair("\"2021-07\"", "\"July\""), std::pair("\"macs\"", "\"mac\""),
                                 std::pair("\"min_activation_bits\": 4", "\"min_activation_bits\": 3"),
                                 std::pair("\"macs_per_second\": 1300", "\"macs_per_second\": -1300"),
                                 std::pair("\"bytes_per_second\"", "\"bandwidth\"")}) {
    std::string broken = sound;
    broken.replace(broken.find(from), std::string_view(from).size(), to);
    EXPECT_NE(testing::SchemaViolation(broken, schema), "") << from;
    EXPECT_FALSE(hardware::ParseProfile(broken).ok()) << from;
  }
}

}  // namespace
}  // namespace bitplan
