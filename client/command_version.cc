#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "client/commands.h"
#include "search/base/status.h"
#include "search/pipeline/version.h"

namespace bitplan::client {
namespace {

std::string AsJson(const v1::Version* server, const std::string& address) {
  nlohmann::ordered_json document = {{"client", {{"version", pipeline::BitplanVersion()}}}};
  if (server != nullptr) {
    document["server"] = {
        {"address", address},
        {"version", server->version()},
        {"api", std::vector<std::string>(server->api().begin(), server->api().end())},
        {"components", std::map<std::string, std::string>(server->components().begin(), server->components().end())}};
  }
  return document.dump(2) + "\n";
}

std::string AsText(const v1::Version& server, const std::string& address) {
  std::string text = fmt::format("server  {} at {} ({})\n", server.version(), address, fmt::join(server.api(), ", "));
  const std::map<std::string, std::string> components(server.components().begin(), server.components().end());
  for (const auto& [name, version] : components) text += fmt::format("          {} {}\n", name, version);
  return text;
}

absl::StatusOr<ExitCode> Run(Session& session) {
  Channel channel = session.Connect();
  const auto server = channel.GetVersion();
  if (session.globals.is_json()) {
    session.console.Answer(AsJson(server.ok() ? &*server : nullptr, channel.server()));
  } else {
    session.console.Answer(fmt::format("client  {}\n", pipeline::BitplanVersion()));
    if (server.ok()) session.console.Answer(AsText(*server, channel.server()));
  }
  BITPLAN_RETURN_IF_ERROR(server.status());
  return ExitCode::kOk;
}

}  // namespace

Action DeclareVersion(CLI::App&) { return &Run; }

}  // namespace bitplan::client
