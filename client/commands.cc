#include "client/commands.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <array>
#include <cstdlib>
#include <utility>

#include "search/pipeline/version.h"

namespace bitplan::client {
namespace {

constexpr auto kCommands = std::to_array<Command>({
    {.path = "search", .summary = "Search a bit plan on a server", .declare = &DeclareSearch},
    {.path = "frontier",
     .summary = "The least loss for many limits of one resource, on a server",
     .declare = &DeclareFrontier},
    {.path = "top", .summary = "The best few plans that differ, on a server", .declare = &DeclareTop},
    {.path = "local search",
     .summary = "Search a bit plan in this process",
     .needs_server = false,
     .declare = &DeclareLocalSearch},
    {.path = "local frontier",
     .summary = "The least loss for many limits of one resource, in this process",
     .needs_server = false,
     .declare = &DeclareLocalFrontier},
    {.path = "local top",
     .summary = "The best few plans that differ, in this process",
     .needs_server = false,
     .declare = &DeclareLocalTop},
    {.path = "local compare",
     .summary = "Compare sensitivity methods with what random plans measure",
     .needs_server = false,
     .declare = &DeclareLocalCompare},
    {.path = "model upload", .summary = "Upload an ONNX network", .declare = &DeclareModelUpload},
    {.path = "model list", .summary = "List networks", .declare = &DeclareModelList},
    {.path = "model show", .summary = "Show a network's layers", .declare = &DeclareModelShow},
    {.path = "job list", .summary = "List jobs, newest first", .declare = &DeclareJobList},
    {.path = "job show", .summary = "Show a job", .declare = &DeclareJobShow},
    {.path = "job watch", .summary = "Follow a job until it is finished", .declare = &DeclareJobWatch},
    {.path = "job cancel", .summary = "Ask a job to stop", .declare = &DeclareJobCancel},
    {.path = "plan list", .summary = "List plans, newest first", .declare = &DeclarePlanList},
    {.path = "plan show", .summary = "Show a plan of the server or of a plan file", .declare = &DeclarePlanShow},
    {.path = "plan export",
     .summary = "Write a plan in the words of another tool, and what those cannot say",
     .declare = &DeclarePlanExport},
    {.path = "plan formats",
     .summary = "What plans can be written as, and for which versions of which tools",
     .needs_server = false,
     .declare = &DeclarePlanFormats},
    {.path = "plan evaluate",
     .summary = "Measure a plan on held-out data, in this process",
     .declare = &DeclarePlanEvaluate},
    {.path = "plan diff", .summary = "What two plans do differently", .declare = &DeclarePlanDiff},
    {.path = "plan rebind",
     .summary = "Bind a plan to a fine-tuned or re-exported network of the same layers",
     .declare = &DeclarePlanRebind},
    {.path = "plan verify", .summary = "Add a plan up again and repeat its proof", .declare = &DeclarePlanVerify},
    {.path = "plan explain",
     .summary = "Why each layer has its bits: prices, regrets, what another budget would bring",
     .declare = &DeclarePlanExplain},
    {.path = "profile list", .summary = "List hardware profiles", .declare = &DeclareProfileList},
    {.path = "profile show", .summary = "Show a hardware profile", .declare = &DeclareProfileShow},
    {.path = "profile check",
     .summary = "What a profile knows of a network before anything runs",
     .needs_server = false,
     .declare = &DeclareProfileCheck},
    {.path = "profile import",
     .summary = "Make a profile document from another project's table",
     .needs_server = false,
     .declare = &DeclareProfileImport},
    {.path = "profile measure",
     .summary = "Time this machine's int8 and float kernels for a network and write a profile",
     .needs_server = false,
     .declare = &DeclareProfileMeasure},
    {.path = "runtime list",
     .summary = "List runtimes whose rules a search can obey",
     .needs_server = false,
     .declare = &DeclareRuntimeList},
    {.path = "runtime show",
     .summary = "Show a runtime's rules, and where they come from",
     .needs_server = false,
     .declare = &DeclareRuntimeShow},
    {.path = "version", .summary = "Versions of this program and of the server", .declare = &DeclareVersion},
});

struct Group {
  std::string_view name;
  std::string_view summary;
};

constexpr auto kGroups = std::to_array<Group>({
    {"local", "Without a server"},
    {"model", "Networks on the server"},
    {"job", "Long work on the server"},
    {"plan", "Bit plans"},
    {"profile", "Hardware profiles"},
    {"runtime", "Rules of runtimes that load plans"},
});

std::string ExitCodeHelp() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeEntry& entry : ExitCodes()) {
    text += fmt::format("  {:<4} {}\n", static_cast<int>(entry.code), entry.meaning);
  }
  return text;
}

// gRPC would take other texts too, and then find nobody at an address that was not meant.
std::string CheckServer(const std::string& address) {
  const size_t colon = address.rfind(':');
  const std::string port = colon == std::string::npos ? "" : address.substr(colon + 1);
  const bool has_port = !port.empty() && port.find_first_not_of("0123456789") == std::string::npos;
  const bool is_plain = has_port && colon > 0 && address.find('/') == std::string::npos;
  return is_plain ? "" : fmt::format("got '{}', want HOST:PORT such as {}", address, kDefaultServer);
}

void AddGlobals(CLI::App& app, Globals& globals, bool needs_server) {
  app.add_option("--output", globals.output, "How to print the answer")
      ->check(CLI::IsMember({"table", "json"}))
      ->capture_default_str()
      ->group("Everywhere");
  if (!needs_server) return;
  app.add_option("--server", globals.server, "HOST:PORT of bitpland; BITPLAN_SERVER sets the default")
      ->check(CheckServer)
      ->capture_default_str()
      ->group("Everywhere");
  app.add_option("--project", globals.project, "Project on the server")
      ->check([](const std::string& name) {
        const bool clean =
            !name.empty() && name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-") == std::string::npos;
        return clean ? "" : fmt::format("got '{}', want lower-case letters, digits and dashes", name);
      })
      ->capture_default_str()
      ->group("Everywhere");
}

// Not left to CLI11: --server exists at each level of the command line, and the environment would be read at each
// level, also after another level was given the option.
std::string ServerByDefault() {
  const char* const server = std::getenv("BITPLAN_SERVER");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  return server == nullptr || *server == '\0' ? std::string(kDefaultServer) : server;
}

// The command line as CLI11 sees it; the action of the command that was parsed lands in `action`.
void Declare(CLI::App& app, Globals& globals, Action& action) {
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string(pipeline::BitplanVersion()));
  app.footer(ExitCodeHelp());
  AddGlobals(app, globals, true);
  for (const Command& command : kCommands) {
    const size_t blank = command.path.find(' ');
    CLI::App* parent = &app;
    if (blank != std::string_view::npos) {
      const std::string group(command.path.substr(0, blank));
      const auto known = app.get_subcommands([&](const CLI::App* sub) { return sub->get_name() == group; });
      if (!known.empty()) {
        parent = known.front();
      } else {
        const auto row = std::ranges::find(kGroups, std::string_view(group), &Group::name);
        parent = app.add_subcommand(group, std::string(row->summary));
        parent->require_subcommand(1);
      }
    }
    const std::string name(blank == std::string_view::npos ? command.path : command.path.substr(blank + 1));
    CLI::App* leaf = parent->add_subcommand(name, std::string(command.summary));
    leaf->footer("");
    AddGlobals(*leaf, globals, command.needs_server);
    leaf->callback([&action, run = command.declare(*leaf)] { action = run; });
  }
}

// The command that the arguments were meant for, as far as they were understood: "bitplan job watch".
std::string ParsedPath(const CLI::App& app) {
  const std::string& path = app.get_name();
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? path : path + " " + ParsedPath(*parsed.front());
}

// The deepest command that was understood.
const CLI::App& ParsedLeaf(const CLI::App& app) {
  const auto parsed = app.get_subcommands();
  return parsed.empty() ? app : ParsedLeaf(*parsed.front());
}

// CLI11 misses the subcommand before it looks at the word that stands in its place.
std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> unknown = ParsedLeaf(app).remaining();
  const bool is_missing = dynamic_cast<const CLI::RequiredError*>(&error) != nullptr;
  return is_missing && !unknown.empty() ? fmt::format("no such command: '{}'", unknown.front()) : error.what();
}

}  // namespace

std::string Globals::NameOf(std::string_view collection, std::string_view name_or_id) const {
  if (name_or_id.find('/') != std::string_view::npos) return std::string(name_or_id);
  return fmt::format("{}/{}/{}", parent(), collection, name_or_id);
}

std::string Globals::NonDefaults() const {
  std::string text;
  if (server != ServerByDefault()) text += " --server " + server;
  if (project != Globals().project) text += " --project " + project;
  return text;
}

Channel Session::Connect() const { return Channel({.server = globals.server, .stop = stop}); }

std::span<const Command> Commands() { return kCommands; }

ExitCode RunCommandLine(std::vector<std::string> arguments, Console& console, std::stop_token stop,
                        const std::string& program) {
  Session session{
      .globals = {.server = ServerByDefault()}, .console = console, .stop = std::move(stop), .program = program};
  Action action;
  CLI::App app("Hessian-aware mixed-precision search: which bits each layer of a network gets under a budget.",
               program);
  Declare(app, session.globals, action);
  try {
    std::ranges::reverse(arguments);  // as CLI11 takes them
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    console.Answer(app.help());
    return ExitCode::kOk;
  } catch (const CLI::CallForVersion& version) {
    console.Answer(fmt::format("{}\n", version.what()));
    return ExitCode::kOk;
  } catch (const CLI::ParseError& error) {
    console.Note(fmt::format("bitplan: {}", UsageMessage(app, error)));
    console.Note(fmt::format("'{} --help' says more", ParsedPath(app)));
    return ExitCode::kUsage;
  }
  const absl::StatusOr<ExitCode> code = action(session);
  if (!code.ok()) console.Error(code.status());
  if (console.is_answer_lost()) {
    console.Note("bitplan: cannot write to standard output; the answer is incomplete");
    return ExitCode::kFailed;
  }
  return code.ok() ? *code : ExitCodeOf(code.status());
}

}  // namespace bitplan::client
