#include <fmt/chrono.h>
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cctype>
#include <ctime>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <thread>

#include "client/commands.h"
#include "client/files.h"
#include "client/list_options.h"
#include "client/local_run.h"
#include "client/model_file.h"
#include "client/paging.h"
#include "client/render.h"
#include "client/table.h"
#include "client/units.h"
#include "search/base/status.h"
#include "search/pipeline/measure_profile.h"

namespace bitplan::client {
namespace {

struct MeasureArguments {
  std::string model;
  std::string out;
  std::string name;
  int threads = 0;
  int repeats = 0;  // 0: until the median is sure
  ProfileRequest request;
};

// "AMD EPYC 7B13, 2 processors"; the model's name as Linux has it.
std::string ThisMachine() {
  const std::string processors = fmt::format("{} processors", std::thread::hardware_concurrency());
  const absl::StatusOr<std::string> text = ReadFile("/proc/cpuinfo");
  if (!text.ok()) return "unknown CPU, " + processors;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) {
      return fmt::format("{}, {}", line.substr(colon + 2), processors);
    }
  }
  return "unknown CPU, " + processors;
}

// A profile's name from a path: "my-cpu" of "profiles/My CPU.json".
std::string NameOfFile(const std::string& path) {
  std::string name;
  for (const char c : BaseName(path).substr(0, BaseName(path).rfind('.'))) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    name += std::isalnum(static_cast<unsigned char>(lower)) != 0 ? lower : '-';
  }
  const size_t first = name.find_first_not_of('-');
  constexpr size_t kMostCharacters = 63;
  return first == std::string::npos ? "my-cpu" : name.substr(first, kMostCharacters);
}

// "12.5 us +- 0.4 %"; "-" if there is none.
std::string TimeText(const std::optional<ops::KernelTiming>& timing) {
  if (!timing) return "-";
  return fmt::format("{:.3g} us +- {:.1f} %", timing->median_ns * 1e-3,
                     100 * timing->standard_error_ns / timing->median_ns);
}

std::string Render(const MeasuredProfile& measured) {
  constexpr size_t kLongestName = 30;
  Table table({{.title = "layer", .max_width = kLongestName},
               {.title = "layers", .right = true},
               {.title = "w8a8", .right = true},
               {.title = "w32a32", .right = true},
               {.title = "speedup", .right = true},
               {.title = "int8 kernel"}});
  std::string notes;
  for (const ProfileRow& row : measured.rows) {
    const bool both = row.int8.has_value() && row.float32.has_value();
    table.AddRow({row.layers.front(), FormatCount(std::ssize(row.layers)), TimeText(row.int8), TimeText(row.float32),
                  both ? fmt::format("{:.2f}", row.float32->median_ns / row.int8->median_ns) : "-",
                  row.int8 ? row.int8->implementation : "-"});
    for (const std::string& note : row.notes) {
      notes += fmt::format("{}: {}\n", row.layers.front(), note);
    }
  }
  return table.Render() + (notes.empty() ? "" : "\n" + notes) + "\n" + measured.profile.provenance.citation + "\n";
}

absl::StatusOr<ExitCode> RunMeasure(Session& session, const MeasureArguments& arguments) {
  ProfileRequest request = arguments.request;
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadModel(arguments.model));
  request.onnx = onnx;
  request.name = arguments.name.empty() ? NameOfFile(arguments.out) : arguments.name;
  request.network = BaseName(arguments.model);
  request.machine = ThisMachine();
  request.date = fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr)));
  if (arguments.repeats > 0) {
    request.timing.min_repeats = request.timing.max_repeats = arguments.repeats;
    request.timing.relative_error = 0;
  }
  const LocalRun run(session, arguments.threads);
  BITPLAN_ASSIGN_OR_RETURN(const MeasuredProfile measured, pipeline::MeasureProfile(request, run.context()));
  BITPLAN_RETURN_IF_ERROR(WriteFile(arguments.out, measured.json));
  session.console.Answer(session.globals.is_json() ? measured.json : Render(measured));
  session.console.Note(fmt::format("wrote {}: --hardware {} takes it", arguments.out, arguments.out));
  return ExitCode::kOk;
}

}  // namespace

Action DeclareProfileMeasure(CLI::App& app) {
  auto arguments = std::make_shared<MeasureArguments>();
  ops::TimingOptions& timing = arguments->request.timing;
  app.add_option("model", arguments->model, "ONNX network whose layers are timed")
      ->check(CLI::ExistingFile)
      ->required();
  app.add_option("--out", arguments->out, "The profile, FILE.json")
      ->check([](const std::string& path) {
        return path.ends_with(".json") ? "" : fmt::format("got '{}', want a file name that ends in .json", path);
      })
      ->type_name("FILE")
      ->required();
  app.add_option("--name", arguments->name, "The profile's name [that of the file]");
  app.add_option("--batch", arguments->request.batch, "Samples in one run; 0: as many as the network fixes, or 1")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--repeats", arguments->repeats, "So many repeats of each kernel; 0: until the median is sure")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  app.add_option("--error", timing.relative_error, "Wanted standard error of each median, as a share of it")
      ->check(CLI::Range(0.0, 0.5))
      ->capture_default_str();
  app.add_option("--kernel-time-limit", timing.time_limit_s, "Seconds for the repeats of one kernel")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  AddThreads(app, arguments->threads);
  return [arguments](Session& session) { return RunMeasure(session, *arguments); };
}

Action DeclareProfileList(CLI::App& app) {
  return [limit = AddLimit(app)](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    v1::ListProfilesRequest request;
    request.set_parent(session.globals.parent());
    BITPLAN_ASSIGN_OR_RETURN(const auto profiles,
                             ListUpTo<v1::ListProfilesResponse>(
                                 *limit, request, session.console,
                                 [&](const v1::ListProfilesRequest& page) { return channel.ListProfiles(page); },
                                 [](v1::ListProfilesResponse& response) { return response.mutable_profiles(); }));
    session.console.Answer(session.globals.is_json() ? RenderJson(profiles) : RenderProfiles(profiles));
    return ExitCode::kOk;
  };
}

Action DeclareProfileShow(CLI::App& app) {
  auto name = std::make_shared<std::string>();
  app.add_option("profile", *name, "Name or id")->required();
  return [name](Session& session) -> absl::StatusOr<ExitCode> {
    Channel channel = session.Connect();
    BITPLAN_ASSIGN_OR_RETURN(const v1::Profile profile, channel.GetProfile(session.globals.NameOf("profiles", *name)));
    // As JSON the document itself: what --hardware FILE.json takes.
    session.console.Answer(session.globals.is_json() ? profile.json() : RenderProfile(profile));
    return ExitCode::kOk;
  };
}

}  // namespace bitplan::client
