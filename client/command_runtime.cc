#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "client/commands.h"
#include "client/search_options.h"
#include "client/table.h"
#include "search/base/status.h"
#include "search/hardware/shipped_runtimes.h"

namespace bitplan::client {
namespace {

template <typename Values>
std::string Joined(const Values& values) {
  std::vector<std::string_view> names;
  names.reserve(std::size(values));
  for (const auto value : values) names.push_back(ToString(value));
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string Render(const RuntimeRules& runtime) {
  std::string text = fmt::format("{}, rules version {}, read off {}\n{}\n", runtime.name, runtime.version,
                                 runtime.written_against, runtime.description);
  for (const RuntimeRule& rule : runtime.rules) {
    text += fmt::format("\n{}: equal {}\n  why     {}\n", rule.name, Joined(rule.agree), rule.reason);
    if (!rule.structure.empty()) text += fmt::format("  graph   {}\n", Joined(rule.structure));
    for (const std::string& pattern : rule.names) text += fmt::format("  names   {}\n", pattern);
    text += fmt::format("  source  {}; {}\n", rule.source, rule.date);
  }
  return text;
}

}  // namespace

Action DeclareRuntimeList(CLI::App& /*app*/) {
  return [](Session& session) -> absl::StatusOr<ExitCode> {
    Table table({{.title = "name"}, {.title = "rules"}, {.title = "read off"}});
    nlohmann::ordered_json json = nlohmann::ordered_json::array();
    for (const hardware::ShippedRuntime& shipped : hardware::ShippedRuntimes()) {
      BITPLAN_ASSIGN_OR_RETURN(const RuntimeRules runtime, hardware::ParseRuntime(shipped.json));
      std::vector<std::string> rules;
      rules.reserve(runtime.rules.size());
      for (const RuntimeRule& rule : runtime.rules) rules.push_back(rule.name);
      table.AddRow({runtime.name, fmt::format("{}", fmt::join(rules, ", ")), runtime.written_against});
      json.push_back({{"name", runtime.name},
                      {"version", runtime.version},
                      {"written_against", runtime.written_against},
                      {"rules", rules}});
    }
    session.console.Answer(session.globals.is_json() ? json.dump(2) + "\n" : table.Render());
    return ExitCode::kOk;
  };
}

Action DeclareRuntimeShow(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("runtime", *name, "Name")->required();
  return [name](Session& session) -> absl::StatusOr<ExitCode> {
    BITPLAN_ASSIGN_OR_RETURN(const RuntimeRules runtime, hardware::FindShippedRuntime(*name));
    if (!session.globals.is_json()) {
      session.console.Answer(Render(runtime));
      return ExitCode::kOk;
    }
    // The document itself: what --runtime FILE.json takes.
    for (const hardware::ShippedRuntime& shipped : hardware::ShippedRuntimes()) {
      if (shipped.name == *name) session.console.Answer(shipped.json);
    }
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
