#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>

#include "bitplan/v1/plan.grpc.pb.h"
#include "proto/convert/field_path.h"
#include "proto/convert/frontier.h"
#include "proto/convert/plan.h"
#include "proto/convert/top_plans.h"
#include "search/exporters/exporter_table.h"
#include "server/service/finish.h"
#include "server/service/measurements.h"
#include "server/service/names.h"
#include "server/service/plans.h"
#include "server/service/resources.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

constexpr int kMaxSearches = 8;  // at a time; each computes on the thread of its call
constexpr std::string_view kDefaultFormat = "json";

// How soon a search learns that its caller has gone.
constexpr std::chrono::milliseconds kCallerPoll{50};

// Requests a stop once the caller of `call` has gone: it cancelled, or a stopping server cut it off. A thread of its
// own looks, because a solver reports nothing for minutes. `call` must outlive it.
class CallerWatch {
 public:
  explicit CallerWatch(const grpc::ServerContext& call)
      : thread_([this, &call](const std::stop_token& answered) { Look(call, answered); }) {}

  bool gone() const { return gone_.stop_requested(); }
  std::stop_token token() const { return gone_.get_token(); }

 private:
  void Look(const grpc::ServerContext& call, const std::stop_token& answered) {
    std::mutex mutex;
    std::condition_variable_any wake;
    std::unique_lock lock(mutex);
    while (!gone() && !answered.stop_requested()) {
      wake.wait_for(lock, answered, kCallerPoll, [] { return false; });
      if (call.IsCancelled()) gone_.request_stop();
    }
  }

  std::stop_source gone_;
  std::jthread thread_;  // stopped and joined before the rest goes
};

// Stops when the caller has gone or its deadline has passed.
RunContext ContextOf(const grpc::ServerContext& call, const CallerWatch& caller) {
  RunContext context;
  context.stop = caller.token();
  const auto left = call.deadline() - std::chrono::system_clock::now();
  if (left < std::chrono::hours(24)) context.deadline = std::chrono::steady_clock::now() + left;
  return context;
}

absl::StatusOr<v1::Plan> Store(Backend& backend, const std::string& project, SolvedPlan solved) {
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource stored, StorePlan(backend, project, solved));
  BITPLAN_ASSIGN_OR_RETURN(v1::Plan message, Decode<v1::Plan>(stored));
  message.mutable_choices()->Swap(solved.message.mutable_choices());
  return message;
}

// What only shows on the measurement, told with the path of the request's field.
absl::Status AtConfig(const SearchRequest& search, absl::Status status) {
  for (size_t i = 0; i < search.budgets.size(); ++i) {
    status = convert::AtBudget(fmt::format("config.budgets[{}]", i), search.budgets[i], status);
  }
  return MessageOf(status).starts_with("ties[") ? convert::AtField("config", status) : status;
}

absl::StatusOr<v1::Plan> Search(Backend& backend, const grpc::ServerContext& call, const v1::SearchRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key,
                           ParseName("measurement", request.measurement(), "measurements"));
  BITPLAN_RETURN_IF_ERROR(CheckDisplayName("display_name", request.display_name()));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource measurement, GetResource(backend, key));
  const auto search = PrepareSearch(backend, key.project, request.config(), kSearchTimeLimitSeconds);
  if (!search.ok()) return convert::AtField("config", search.status());
  BITPLAN_ASSIGN_OR_RETURN(const Slot slot, Slot::Take(backend.searches, kMaxSearches, "searches at a time"));
  if (request.validate_only()) {
    auto checked = CheckSearchOn(backend, measurement, *search);
    if (!checked.ok()) return AtConfig(search->request, checked.status());
    return checked;
  }
  const CallerWatch caller(call);
  auto solved = SolveOn(backend, measurement, *search, ContextOf(call, caller));
  if (!solved.ok()) return AtConfig(search->request, solved.status());
  // A solver that was stopped has an answer all the same; nobody is there to take it, and it must not be stored.
  if (caller.gone()) return absl::CancelledError("the client went away");
  if (!request.store()) return std::move(solved->message);
  solved->message.set_display_name(request.display_name());
  return Store(backend, key.project, *std::move(solved));
}

// Sends the terms and the points of a frontier as they come; the last message is the caller's.
absl::Status StreamFrontier(const Measurement& measured, const PreparedFrontier& prepared, const RunContext& context,
                            grpc::ServerWriter<v1::FrontierUpdate>& writer) {
  convert::FrontierMessages messages;
  const FrontierListener listener{.on_terms =
                                      [&](const FrontierTerms& terms) {
                                        v1::FrontierUpdate update;
                                        *update.mutable_terms() = messages.FromTerms(terms);
                                        *update.mutable_terms()->mutable_config() = prepared.config;
                                        writer.Write(update);
                                      },
                                  .on_point =
                                      [&](const FrontierPoint& point, size_t index, size_t count) {
                                        if (context.stop.stop_requested()) return;
                                        v1::FrontierUpdate update;
                                        *update.mutable_point() = messages.FromPoint(point, index, count);
                                        writer.Write(update);
                                      }};
  const auto found = pipeline::ComputeFrontier(measured, prepared.request, context, listener);
  if (!found.ok()) return AtConfig(prepared.request.search, found.status());
  v1::FrontierUpdate last;
  *last.mutable_summary() = convert::FromSummary(found->frontier);
  writer.Write(last);
  return absl::OkStatus();
}

absl::Status ComputeFrontier(Backend& backend, const grpc::ServerContext& call,
                             const v1::ComputeFrontierRequest& request,
                             grpc::ServerWriter<v1::FrontierUpdate>& writer) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key,
                           ParseName("measurement", request.measurement(), "measurements"));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource measurement, GetResource(backend, key));
  BITPLAN_ASSIGN_OR_RETURN(const PreparedFrontier prepared,
                           PrepareFrontier(backend, key.project, request, kSearchTimeLimitSeconds));
  BITPLAN_ASSIGN_OR_RETURN(const Slot slot, Slot::Take(backend.searches, kMaxSearches, "searches at a time"));
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, LoadMeasurement(backend, measurement));
  const CallerWatch caller(call);
  const absl::Status status = StreamFrontier(measured, prepared, ContextOf(call, caller), writer);
  return caller.gone() ? absl::CancelledError("the client went away") : status;
}

// Sends the best few plans, stored first if asked for; the last message is the summary.
absl::Status SendTopPlans(Backend& backend, const store::ResourceKey& measurement,
                          const v1::FindTopPlansRequest& request, const PreparedTopPlans& prepared, const TopPlans& top,
                          grpc::ServerWriter<v1::TopPlansUpdate>& writer) {
  for (const Plan& plan : top.plans) {
    SolvedPlan solved{.plan = plan, .message = convert::FromTopPlan(plan)};
    solved.message.set_measurement(store::ResourceName(measurement));
    *solved.message.mutable_config() = prepared.config;
    v1::TopPlansUpdate update;
    *update.mutable_plan() = solved.message;
    if (request.store()) {
      BITPLAN_ASSIGN_OR_RETURN(*update.mutable_plan(), Store(backend, measurement.project, std::move(solved)));
    }
    writer.Write(update);
  }
  v1::TopPlansUpdate last;
  *last.mutable_summary() = convert::FromSummary(top);
  writer.Write(last);
  return absl::OkStatus();
}

absl::Status FindTopPlans(Backend& backend, const grpc::ServerContext& call, const v1::FindTopPlansRequest& request,
                          grpc::ServerWriter<v1::TopPlansUpdate>& writer) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key,
                           ParseName("measurement", request.measurement(), "measurements"));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource measurement, GetResource(backend, key));
  BITPLAN_ASSIGN_OR_RETURN(const PreparedTopPlans prepared,
                           PrepareTopPlans(backend, key.project, request, kSearchTimeLimitSeconds));
  BITPLAN_ASSIGN_OR_RETURN(const Slot slot, Slot::Take(backend.searches, kMaxSearches, "searches at a time"));
  BITPLAN_ASSIGN_OR_RETURN(const Measurement measured, LoadMeasurement(backend, measurement));
  const CallerWatch caller(call);
  const auto top = pipeline::FindTopPlans(measured, prepared.request, ContextOf(call, caller));
  if (!top.ok()) return AtConfig(prepared.request.search, top.status());
  if (caller.gone()) return absl::CancelledError("the client went away");
  return SendTopPlans(backend, key, request, prepared, *top, writer);
}

absl::StatusOr<v1::Plan> Get(Backend& backend, const v1::GetPlanRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", request.name(), "plans"));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource, GetResource(backend, key));
  BITPLAN_ASSIGN_OR_RETURN(v1::Plan message, Decode<v1::Plan>(resource));
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, LoadPlan(backend, resource));
  message.mutable_choices()->Swap(convert::FromPlan(plan).mutable_choices());
  return message;
}

absl::StatusOr<v1::ListPlansResponse> List(Backend& backend, const v1::ListPlansRequest& request) {
  v1::ListPlansResponse response;
  BITPLAN_ASSIGN_OR_RETURN(*response.mutable_next_page_token(),
                           ListDecoded<v1::Plan>(
                               backend, request, "plans", [](v1::Plan*) {}, [&] { return response.add_plans(); }));
  return response;
}

// The bytes that a plan rests on; empty if it rests on none such.
absl::StatusOr<std::string> ReadIngredient(const Backend& backend, std::string_view what, const std::string& digest) {
  if (digest.empty()) return std::string();
  absl::StatusOr<std::string> bytes = backend.artifacts->Read(digest);
  if (bytes.ok() || !absl::IsNotFound(bytes.status())) return bytes;
  return FailedPrecondition("format: needs the plan's {} {}, which is not on this server any more", what, digest);
}

absl::StatusOr<Exported> WriteAs(const Backend& backend, const exporters::ExporterEntry& exporter, const Plan& plan,
                                 const RunContext& context) {
  if (!exporter.needs_model) return exporters::Write(exporter, {.plan = plan}, context);
  BITPLAN_ASSIGN_OR_RETURN(const std::string onnx, ReadIngredient(backend, "model", plan.provenance.model_digest));
  BITPLAN_ASSIGN_OR_RETURN(const std::string calibration,
                           ReadIngredient(backend, "dataset", plan.provenance.dataset_digest));
  return exporters::Write(exporter, {.plan = plan, .onnx = onnx, .calibration = calibration}, context);
}

v1::ExportLoss ToMessage(const ExportLoss& loss) {
  v1::ExportLoss message;
  message.set_layer(loss.layer);
  message.set_field(loss.field);
  message.set_wanted(loss.wanted);
  message.set_written(loss.written);
  message.set_reason(loss.reason);
  return message;
}

// Clients of ours take messages of 256 MiB.
constexpr size_t kMaxExportBytes = size_t{255} << 20;

absl::StatusOr<v1::ExportPlanResponse> Export(Backend& backend, const grpc::ServerContext& call,
                                              const v1::ExportPlanRequest& request) {
  BITPLAN_ASSIGN_OR_RETURN(const store::ResourceKey key, ParseName("name", request.name(), "plans"));
  const std::string_view format = request.format().empty() ? kDefaultFormat : std::string_view(request.format());
  BITPLAN_ASSIGN_OR_RETURN(const auto exporter, exporters::FindExporter(format));
  BITPLAN_ASSIGN_OR_RETURN(const store::Resource resource, GetResource(backend, key));
  BITPLAN_ASSIGN_OR_RETURN(const Plan plan, LoadPlan(backend, resource));
  v1::ExportPlanResponse response;
  const CallerWatch caller(call);
  BITPLAN_ASSIGN_OR_RETURN(Exported exported, WriteAs(backend, exporter, plan, ContextOf(call, caller)));
  if (exported.bytes.size() > kMaxExportBytes) {
    return FailedPrecondition(
        "format: the file has {} bytes, an answer at most {}; export it without the server: "
        "'bitplan plan export' with the model's file",
        exported.bytes.size(), kMaxExportBytes);
  }
  response.set_content(std::move(exported.bytes));
  for (const ExportLoss& loss : exported.losses) *response.add_losses() = ToMessage(loss);
  response.set_media_type(std::string(exporter.media_type));
  response.set_file_name(fmt::format("plan-{}.{}", key.id.substr(0, 8), exporter.extension));
  return response;
}

class PlanService final : public v1::PlanService::Service {
 public:
  explicit PlanService(Backend& backend) : backend_(backend) {}

  grpc::Status Search(grpc::ServerContext* context, const v1::SearchRequest* request, v1::Plan* response) override {
    return Finish(service::Search(backend_, *context, *request), response);
  }
  grpc::Status ComputeFrontier(grpc::ServerContext* context, const v1::ComputeFrontierRequest* request,
                               grpc::ServerWriter<v1::FrontierUpdate>* writer) override {
    return ToGrpcStatus(service::ComputeFrontier(backend_, *context, *request, *writer));
  }
  grpc::Status FindTopPlans(grpc::ServerContext* context, const v1::FindTopPlansRequest* request,
                            grpc::ServerWriter<v1::TopPlansUpdate>* writer) override {
    return ToGrpcStatus(service::FindTopPlans(backend_, *context, *request, *writer));
  }
  grpc::Status GetPlan(grpc::ServerContext*, const v1::GetPlanRequest* request, v1::Plan* response) override {
    return Finish(Get(backend_, *request), response);
  }
  grpc::Status ListPlans(grpc::ServerContext*, const v1::ListPlansRequest* request,
                         v1::ListPlansResponse* response) override {
    return Finish(List(backend_, *request), response);
  }
  grpc::Status DeletePlan(grpc::ServerContext*, const v1::DeletePlanRequest* request,
                          google::protobuf::Empty*) override {
    return ToGrpcStatus(DeleteNamed(backend_, request->name(), "plans"));
  }
  grpc::Status ExportPlan(grpc::ServerContext* context, const v1::ExportPlanRequest* request,
                          v1::ExportPlanResponse* response) override {
    return Finish(Export(backend_, *context, *request), response);
  }

 private:
  Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakePlanService(Backend& backend) { return std::make_unique<PlanService>(backend); }

}  // namespace bitplan::service
