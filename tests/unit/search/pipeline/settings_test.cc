#include "search/pipeline/settings.h"

#include <gtest/gtest.h>

namespace bitplan::pipeline {
namespace {

TEST(ActivationsScored, IsWhatTheSettingsSay) {
  for (const bool quantize : {false, true}) {
    EXPECT_EQ(ActivationsScored(SettingsJson({}, {.quantize_activations = quantize})), quantize);
  }
}

TEST(ActivationsScored, IsNotKnownWhereTheSettingsDoNotSay) {
  for (const char* settings : {"", "{", "[]", "{}", R"({"sensitivity":{}})", R"({"sensitivity":3})",
                               R"({"sensitivity":{"quantize_activations":1}})"}) {
    EXPECT_EQ(ActivationsScored(settings), std::nullopt) << settings;
  }
}

}  // namespace
}  // namespace bitplan::pipeline
