#ifndef BITPLAN_CLIENT_COMMANDS_H_
#define BITPLAN_CLIENT_COMMANDS_H_

#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/channel.h"
#include "client/console.h"
#include "client/exit_code.h"

namespace CLI {
class App;
}  // namespace CLI

namespace bitplan::client {

// Options that every command has.
struct Globals {
  std::string server = std::string(kDefaultServer);
  std::string project = "default";
  std::string output = "table";  // or "json"

  bool is_json() const { return output == "json"; }
  std::string parent() const { return "projects/" + project; }
  // A full resource name from a full name or an id: "projects/default/jobs/4f..".
  std::string NameOf(std::string_view collection, std::string_view name_or_id) const;
  // " --server HOST:PORT --project NAME": what another command needs to be told to find the same resources.
  std::string NonDefaults() const;
};

// What a command runs with.
struct Session {
  Globals globals;
  Console& console;      // must outlive the session
  std::stop_token stop;  // Ctrl-C
  std::string program;   // how this program was called

  // A channel whose calls end at Ctrl-C.
  Channel Connect() const;
};

// The run of a command whose options are parsed. An error is printed by the caller.
using Action = std::function<absl::StatusOr<ExitCode>(Session&)>;

// One row of the table of commands.
struct Command {
  std::string_view path;                       // "job watch": a command of the group "job"
  std::string_view summary;                    // one line for help texts
  bool needs_server = true;                    // has --server and --project
  Action (*declare)(CLI::App& app) = nullptr;  // adds the command's own options; the action reads them when it runs
};

// The only list of commands; help and tests read it.
std::span<const Command> Commands();

// Parses `arguments` (without the program's name) and runs the command. `program` is how the program was called; it
// stands in the lines that a person may copy.
ExitCode RunCommandLine(std::vector<std::string> arguments, Console& console, std::stop_token stop,
                        const std::string& program = "bitplan");

// Rows of the table, each in its file command_<group>.cc.
Action DeclareSearch(CLI::App& app);
Action DeclareFrontier(CLI::App& app);
Action DeclareTop(CLI::App& app);
Action DeclareLocalSearch(CLI::App& app);
Action DeclareLocalFrontier(CLI::App& app);
Action DeclareLocalTop(CLI::App& app);
Action DeclareLocalCompare(CLI::App& app);
Action DeclareModelUpload(CLI::App& app);
Action DeclareModelList(CLI::App& app);
Action DeclareModelShow(CLI::App& app);
Action DeclareJobList(CLI::App& app);
Action DeclareJobShow(CLI::App& app);
Action DeclareJobWatch(CLI::App& app);
Action DeclareJobCancel(CLI::App& app);
Action DeclarePlanList(CLI::App& app);
Action DeclarePlanShow(CLI::App& app);
Action DeclarePlanExport(CLI::App& app);
Action DeclarePlanFormats(CLI::App& app);
Action DeclarePlanEvaluate(CLI::App& app);
Action DeclarePlanDiff(CLI::App& app);
Action DeclarePlanRebind(CLI::App& app);
Action DeclarePlanVerify(CLI::App& app);
Action DeclarePlanExplain(CLI::App& app);
Action DeclareProfileList(CLI::App& app);
Action DeclareProfileShow(CLI::App& app);
Action DeclareProfileCheck(CLI::App& app);
Action DeclareProfileImport(CLI::App& app);
Action DeclareProfileMeasure(CLI::App& app);
Action DeclareRuntimeList(CLI::App& app);
Action DeclareRuntimeShow(CLI::App& app);
Action DeclareVersion(CLI::App& app);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_COMMANDS_H_
