#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <ctime>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "client/commands.h"
#include "client/model_file.h"
#include "client/plan_output.h"
#include "client/plan_source.h"
#include "client/table.h"
#include "search/base/digest.h"
#include "search/base/status.h"
#include "search/onnx/parse_model.h"
#include "search/plan/rebind.h"

namespace bitplan::client {
namespace {

constexpr size_t kNameWidth = 40;

struct RebindArguments {
  std::string plan;
  std::string model;
  std::vector<std::string> map;
  std::string save;
};

// The last "=" parts the names: those that PyTorch's modules have hold none.
absl::StatusOr<std::map<std::string, std::string>> MapOf(const std::vector<std::string>& pairs) {
  std::map<std::string, std::string> map;
  for (const std::string& pair : pairs) {
    const size_t equals = pair.rfind('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == pair.size()) {
      return InvalidArgument("--map: got '{}', want OLD=NEW", pair);
    }
    if (!map.emplace(pair.substr(0, equals), pair.substr(equals + 1)).second) {
      return InvalidArgument("--map: '{}' is given twice", pair.substr(0, equals));
    }
  }
  return map;
}

std::string Render(const Rebound& rebound) {
  Table table({{.title = "layer of the plan", .max_width = kNameWidth},
               {.title = "layer of the model", .max_width = kNameWidth},
               {.title = "by"},
               {.title = "MACs"}});
  size_t num_equal = 0;
  for (const RebindMatch& match : rebound.matches) {
    const bool is_equal = match.old_name == match.new_name && match.old_macs == match.new_macs;
    num_equal += is_equal ? 1 : 0;
    if (is_equal) continue;
    const std::string macs =
        match.old_macs == match.new_macs ? "equal" : fmt::format("{} -> {}", match.old_macs, match.new_macs);
    table.AddRow({match.old_name, match.new_name, std::string(ToString(match.way)), macs});
  }
  const std::string rest = fmt::format("{} of {} layers are as they were\n", num_equal, rebound.matches.size());
  return num_equal == rebound.matches.size() ? rest : table.Render() + "\n" + rest;
}

std::string Json(const Rebound& rebound) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const RebindMatch& match : rebound.matches) {
    layers.push_back({{"old", match.old_name},
                      {"new", match.new_name},
                      {"by", ToString(match.way)},
                      {"old_macs", match.old_macs},
                      {"new_macs", match.new_macs}});
  }
  return nlohmann::ordered_json{{"fingerprint", rebound.plan.fingerprint}, {"layers", std::move(layers)}}.dump(2) +
         "\n";
}

absl::StatusOr<ExitCode> Run(Session& session, const RebindArguments& arguments) {
  BITPLAN_ASSIGN_OR_RETURN(auto given, MapOf(arguments.map));
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, ReadPlan(session, arguments.plan));
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(arguments.model));
  const absl::StatusOr<Graph> graph = onnx::ParseModel(onnx);
  if (!graph.ok()) return WithContext(graph.status(), arguments.model);
  BITPLAN_ASSIGN_OR_RETURN(
      const Rebound rebound,
      plan::Rebind({.plan = plan,
                    .model = graph->layers,
                    .model_digest = Sha256Hex(onnx),
                    .given = std::move(given),
                    .created = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)))}));
  session.console.Answer(session.globals.is_json() ? Json(rebound) : Render(rebound));
  session.console.Note("note: sensitivities and costs are those of the old model; a new search measures this one");
  BITPLAN_RETURN_IF_ERROR(SavePlan(session, rebound.plan, arguments.save));
  return ExitCode::kOk;
}

}  // namespace

Action DeclarePlanRebind(CLI::App& app) {
  auto arguments = std::make_shared<RebindArguments>();
  app.add_option("plan", arguments->plan, kPlanHelp)->required();
  app.add_option("model", arguments->model, "The ONNX network to bind it to: fine-tuned, or exported anew")
      ->required()
      ->check(CLI::ExistingFile)
      ->type_name("FILE");
  app.add_option("--map", arguments->map, "A layer of the plan and its counterpart in the model; may be repeated")
      ->type_name("OLD=NEW");
  app.add_option("--save", arguments->save, "Where to write the new plan (*.json)")->required()->type_name("FILE");
  return [arguments](Session& session) { return Run(session, *arguments); };
}

}  // namespace bitplan::client
