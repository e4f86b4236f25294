#include "client/render.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>

#include <ctime>

#include "client/rpc_error.h"
#include "client/table.h"
#include "client/units.h"
#include "search/base/status.h"

namespace bitplan::client {
namespace {

constexpr size_t kTitleWidth = 32;

// "2026-01-31 12:00:00" in UTC; empty for an absent time.
std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0) return "";
  const auto seconds = static_cast<std::time_t>(time.seconds());
  return fmt::format("{:%Y-%m-%d %H:%M:%S}", fmt::gmtime(seconds));
}

double SecondsOf(const google::protobuf::Timestamp& time) {
  return static_cast<double>(time.seconds()) + time.nanos() * 1e-9;
}

std::string RunTime(const v1::Job& job) {
  if (!job.has_start_time() || !job.has_end_time()) return "";
  return FormatSeconds(SecondsOf(job.end_time()) - SecondsOf(job.start_time()));
}

template <typename Numbers>
std::string ShapeText(const Numbers& shape) {
  std::string text;
  for (const auto size : shape)
    text += fmt::format("{}{}", text.empty() ? "" : "x", size < 0 ? "N" : fmt::format("{}", size));
  return text;
}

// "name   value" lines, without those that have no value.
std::string RenderFields(const std::vector<std::pair<std::string, std::string>>& fields) {
  size_t width = 0;
  for (const auto& [name, value] : fields) width = std::max(width, name.size());
  std::string text;
  for (const auto& [name, value] : fields) {
    if (!value.empty()) text += fmt::format("{:<{}}  {}\n", name, width, value);
  }
  return text;
}

std::string WorkOf(const v1::Job& job) {
  if (job.has_measure()) return "measure";
  return fmt::format("{}search{}", job.search().has_measure() ? "measure, " : "",
                     job.search().has_evaluation() ? ", evaluate" : "");
}

std::string ResultOf(const v1::Job& job) {
  if (!job.plan().empty()) return "plan " + IdOf(job.plan());
  if (!job.measurement().empty()) return "measurement " + IdOf(job.measurement());
  if (job.has_error()) return CutMiddle(job.error().message(), 48);
  return "";
}

std::string EvaluationOf(const v1::Job& job) {
  if (job.has_evaluation_error()) return "failed: " + MessageOf(ToStatus(job.evaluation_error()));
  return job.evaluation().verdict();
}

std::string TerminationText(v1::Termination termination) {
  std::string name = v1::Termination_Name(termination).substr(sizeof("TERMINATION_") - 1);
  for (char& c : name) c = c == '_' ? ' ' : static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string BudgetTexts(const v1::Plan& plan) {
  std::string text;
  for (const auto& budget : plan.budgets()) text += (text.empty() ? "" : " ") + budget.spec();
  return text;
}

}  // namespace

std::string IdOf(const std::string& name) { return name.substr(name.rfind('/') + 1); }

std::string StateName(v1::JobState state) {
  std::string name = v1::JobState_Name(state).substr(sizeof("JOB_STATE_") - 1);
  for (char& c : name) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return name;
}

std::string RenderJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  // Fails only for messages with an Any of an unknown type, and those are compiled in.
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  return status.ok() ? json : "{}\n";
}

std::string RenderModels(const v1::ListModelsResponse& models) {
  Table table({{.title = "id"},
               {.title = "name", .max_width = kTitleWidth},
               {.title = "size", .right = true},
               {.title = "created (UTC)"}});
  for (const v1::Model& model : models.models()) {
    table.AddRow(
        {IdOf(model.name()), model.display_name(), FormatBytes(model.size_bytes()), TimeText(model.create_time())});
  }
  return table.Render();
}

std::string RenderModel(const v1::Model& model) {
  std::string text = RenderFields({{"model", model.name()},
                                   {"name", model.display_name()},
                                   {"size", FormatBytes(model.size_bytes())},
                                   {"digest", model.digest()},
                                   {"created", TimeText(model.create_time())}});
  for (const v1::TensorInfo& input : model.inputs()) {
    text += fmt::format("input    {} [{}]\n", input.name(), ShapeText(input.shape()));
  }
  for (const std::string& output : model.outputs()) text += fmt::format("output   {}\n", output);
  Table table({{.title = "layer", .max_width = 48},
               {.title = "kind"},
               {.title = "weight shape"},
               {.title = "weights", .right = true},
               {.title = "MACs", .right = true}});
  int64_t weights = 0;
  int64_t macs = 0;
  for (const v1::Layer& layer : model.layers()) {
    table.AddRow({layer.name(), layer.kind(), ShapeText(layer.weight_shape()), FormatCount(layer.num_weights()),
                  FormatCount(layer.macs())});
    weights += layer.num_weights();
    macs += layer.macs();
  }
  table.AddFooter(
      {fmt::format("total of {} layers", model.layers_size()), "", "", FormatCount(weights), FormatCount(macs)});
  return text + "\n" + table.Render();
}

std::string RenderJobs(const v1::ListJobsResponse& jobs) {
  Table table({{.title = "id"},
               {.title = "state"},
               {.title = "work"},
               {.title = "name", .max_width = kTitleWidth},
               {.title = "created (UTC)"},
               {.title = "ran", .right = true},
               {.title = "result"}});
  for (const v1::Job& job : jobs.jobs()) {
    table.AddRow({IdOf(job.name()), StateName(job.state()), WorkOf(job), job.display_name(),
                  TimeText(job.create_time()), RunTime(job), ResultOf(job)});
  }
  return table.Render();
}

std::string RenderJob(const v1::Job& job) {
  const bool is_stopping = job.cancel_requested() && !job.has_end_time();
  const std::string state = StateName(job.state()) + (is_stopping ? ", asked to stop" : "") +
                            (job.awaiting_worker() ? ", waiting for a worker" : "");
  const v1::MeasureSpec& measured = job.has_measure() ? job.measure() : job.search().measure();
  const std::string source = job.search().measurement();
  return RenderFields({{"job", job.name()},
                       {"name", job.display_name()},
                       {"work", WorkOf(job)},
                       {"state", state},
                       {"error", job.has_error() ? MessageOf(ToStatus(job.error())) : ""},
                       {"created", TimeText(job.create_time())},
                       {"started", TimeText(job.start_time())},
                       {"finished", TimeText(job.end_time())},
                       {"ran", RunTime(job)},
                       {"attempt", job.attempt() > 1 ? FormatCount(job.attempt()) : ""},
                       {"model", measured.model()},
                       {"dataset", measured.dataset()},
                       {"measurement", job.measurement().empty() ? source : job.measurement()},
                       {"plan", job.plan()},
                       {"held-out", job.search().evaluation().dataset()},
                       {"evaluation", EvaluationOf(job)}});
}

std::string RenderPlans(const v1::ListPlansResponse& plans) {
  Table table({{.title = "id"},
               {.title = "name", .max_width = kTitleWidth},
               {.title = "budgets", .max_width = 40},
               {.title = "result"},
               {.title = "predicted loss", .right = true},
               {.title = "created (UTC)"}});
  for (const v1::Plan& plan : plans.plans()) {
    const bool solved = plan.totals_size() > 0;
    table.AddRow({IdOf(plan.name()), plan.display_name(), BudgetTexts(plan), TerminationText(plan.termination()),
                  solved ? FormatLoss(plan.objective()) : "-", TimeText(plan.create_time())});
  }
  return table.Render();
}

std::string RenderProfiles(const v1::ListProfilesResponse& profiles) {
  Table table({{.title = "name"}, {.title = "prices"}, {.title = "origin"}, {.title = "description", .max_width = 60}});
  for (const v1::Profile& profile : profiles.profiles()) {
    table.AddRow({IdOf(profile.name()), fmt::format("{}", fmt::join(profile.resources(), ", ")),
                  profile.built_in() ? "built in" : "project", profile.description()});
  }
  return table.Render();
}

std::string RenderProfile(const v1::Profile& profile) {
  return RenderFields({{"profile", profile.name()},
                       {"description", profile.description()},
                       {"prices", fmt::format("{}", fmt::join(profile.resources(), ", "))},
                       {"provenance", profile.provenance()},
                       {"origin", profile.built_in() ? "built in" : "created " + TimeText(profile.create_time())},
                       {"digest", profile.digest()}});
}

}  // namespace bitplan::client
