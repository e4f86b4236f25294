#include "client/loss_output.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "client/table.h"

namespace bitplan::client {
namespace {

constexpr size_t kLayersWidth = 24;

struct LossGroup {
  ExportLoss first;
  int64_t num_layers = 0;
};

// In the order of their first layers.
std::vector<LossGroup> GroupLosses(const std::vector<ExportLoss>& losses) {
  std::vector<LossGroup> groups;
  for (const ExportLoss& loss : losses) {
    const auto same = [&](const LossGroup& group) {
      return group.first.field == loss.field && group.first.wanted == loss.wanted &&
             group.first.written == loss.written && group.first.reason == loss.reason;
    };
    auto group = std::ranges::find_if(groups, same);
    if (group == groups.end()) group = groups.insert(groups.end(), {.first = loss, .num_layers = 0});
    ++group->num_layers;
  }
  return groups;
}

std::string LayersText(const LossGroup& group) {
  if (group.first.layer.empty()) return "(whole plan)";
  if (group.num_layers == 1) return CutMiddle(group.first.layer, kLayersWidth);
  return fmt::format("{} layers", group.num_layers);
}

}  // namespace

std::string RenderLosses(const std::vector<ExportLoss>& losses) {
  if (losses.empty()) return "";
  Table table({{.title = "layers"}, {.title = "field"}, {.title = "plan"}, {.title = "file"}, {.title = "why"}});
  for (const LossGroup& group : GroupLosses(losses)) {
    table.AddRow({LayersText(group), group.first.field, group.first.wanted,
                  group.first.written.empty() ? "-" : group.first.written, group.first.reason});
  }
  std::string text = "The format cannot say all of the plan:\n" + table.Render();
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string LossesJson(const std::vector<ExportLoss>& losses) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ExportLoss& loss : losses) {
    list.push_back({{"layer", loss.layer},
                    {"field", loss.field},
                    {"wanted", loss.wanted},
                    {"written", loss.written},
                    {"reason", loss.reason}});
  }
  return nlohmann::ordered_json{{"losses", std::move(list)}}.dump(2);
}

}  // namespace bitplan::client
