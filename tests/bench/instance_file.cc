#include "tests/bench/instance_file.h"

#include <zlib.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

namespace bitplan::bench {
namespace {

constexpr int kMostDigits = 9;
constexpr double kWhole = 1e-6;

std::string ReadAll(const std::string& path) {
  std::string text;
  std::vector<char> buffer(1 << 16);
  gzFile file = gzopen(path.c_str(), "rb");
  if (file == nullptr) return text;
  for (int got = 0; (got = gzread(file, buffer.data(), static_cast<unsigned>(buffer.size()))) > 0;) {
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  gzclose(file);
  return text;
}

double UnitOfRow(const nlohmann::json& groups, size_t row) {
  double scale = 1;
  for (int digits = 0; digits < kMostDigits; ++digits, scale *= 10) {
    bool whole = true;
    for (const auto& group : groups) {
      for (const auto& cost : group["cost"]) {
        const double scaled = cost[row].get<double>() * scale;
        whole = whole && std::abs(scaled - std::round(scaled)) < kWhole;
      }
    }
    if (whole) return scale;
  }
  return scale;
}

Problem Parse(const nlohmann::json& json) {
  Problem problem;
  const auto& groups = json["groups"];
  std::vector<double> scale;
  for (size_t r = 0; r < json["budget"].size(); ++r) {
    scale.push_back(UnitOfRow(groups, r));
    problem.resources.push_back("r" + std::to_string(r));
    const double limit = json["budget"][r].get<double>() * scale[r];
    problem.budgets.push_back({static_cast<int>(r), static_cast<int64_t>(std::floor(limit + kWhole))});
  }
  for (const auto& group : groups) {
    auto& layer = problem.layers.emplace_back();
    for (size_t k = 0; k < group["obj"].size(); ++k) {
      auto& option = layer.options.emplace_back();
      option.objective = group["obj"][k].get<double>();
      for (size_t r = 0; r < scale.size(); ++r) {
        option.cost.push_back(static_cast<int64_t>(std::ceil(group["cost"][k][r].get<double>() * scale[r] - kWhole)));
      }
    }
  }
  problem.ties = json["ties"].get<std::vector<std::vector<int>>>();
  return problem;
}

}  // namespace

std::optional<Instance> ReadInstance(const std::string& path) {
  const nlohmann::json json = nlohmann::json::parse(ReadAll(path), nullptr, false);
  if (json.is_discarded()) return std::nullopt;
  return Instance{json["name"].get<std::string>(), Parse(json)};
}

}  // namespace bitplan::bench
