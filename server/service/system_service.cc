#include <fmt/format.h>

#include "bitplan/v1/system.grpc.pb.h"
#include "search/allocation/solver_table.h"
#include "search/base/resource.h"
#include "search/exporters/exporter_table.h"
#include "search/ops/losses.h"
#include "search/ops/op_table.h"
#include "search/pipeline/version.h"
#include "search/quantization/dynamic_range.h"
#include "search/quantization/few_levels.h"
#include "search/quantization/quantizer_table.h"
#include "search/quantization/range_rule_table.h"
#include "search/sensitivity/method_table.h"
#include "search/sensitivity/trace_estimators.h"
#include "server/service/services.h"

namespace bitplan::service {
namespace {

template <typename Items>
void Add(std::string_view name, std::string_view description, Items* items) {
  auto* item = items->Add();
  item->set_name(std::string(name));
  item->set_description(std::string(description));
}

v1::Version GetVersion() {
  v1::Version version;
  version.set_version(std::string(pipeline::BitplanVersion()));
  version.add_api("bitplan.v1");
  for (const auto& versions : {pipeline::MeasureVersions(), pipeline::SolveVersions()}) {
    version.mutable_components()->insert(versions.begin(), versions.end());
  }
  return version;
}

void AddVocabulary(v1::Capabilities& message) {
  for (const auto& entry : sensitivity::Methods()) {
    Add(entry.name, fmt::format("{} ({})", entry.summary, entry.source), message.mutable_methods());
  }
  for (const auto& entry : quantization::Quantizers()) Add(entry.name, entry.summary, message.mutable_schemes());
  for (const auto granularity : kGranularities) {
    Add(ToString(granularity), "", message.mutable_granularities());
  }
  for (const auto& entry : quantization::RangeRules()) {
    Add(entry.name, fmt::format("{} ({})", entry.summary, entry.source), message.mutable_range_rules());
  }
  Add(quantization::kTernary, quantization::kTernarySummary, message.mutable_activation_ranges());
  for (const auto& entry : quantization::DynamicRanges()) {
    Add(entry.name, fmt::format("{} ({})", entry.summary, entry.source), message.mutable_activation_ranges());
  }
  for (const auto rounding : kRoundings) Add(ToString(rounding), "", message.mutable_roundings());
  for (const Resource resource : kResources) Add(ToString(resource), BaseUnit(resource), message.mutable_resources());
  for (const auto& entry : allocation::Solvers()) Add(entry.name, entry.promise, message.mutable_solvers());
  for (const auto& entry : ops::LossTable()) Add(entry.name, entry.definition, message.mutable_losses());
  for (const auto& entry : sensitivity::TraceEstimators()) {
    Add(entry.name, fmt::format("{} ({})", entry.summary, entry.source), message.mutable_trace_estimators());
  }
  for (const auto& entry : exporters::Exporters()) {
    Add(entry.name, fmt::format("{} ({})", entry.summary, entry.written_against), message.mutable_export_formats());
  }
  for (const auto& entry : ops::OpTable()) {
    Add(entry.name, fmt::format("opset {}..{}", entry.min_opset, entry.max_opset), message.mutable_operators());
  }
}

v1::Capabilities GetCapabilities(const ServiceLimits& limits) {
  v1::Capabilities message;
  AddVocabulary(message);
  message.mutable_limits()->set_max_model_bytes(limits.max_model_bytes);
  message.mutable_limits()->set_max_dataset_bytes(limits.max_dataset_bytes);
  message.mutable_limits()->set_max_message_bytes(limits.max_message_bytes);
  message.mutable_limits()->set_max_page_size(static_cast<int32_t>(store::kMaxPageSize));
  message.mutable_limits()->set_max_queued_jobs(limits.max_queued_jobs);
  return message;
}

class SystemService final : public v1::SystemService::Service {
 public:
  explicit SystemService(const Backend& backend) : backend_(backend) {}

  grpc::Status GetVersion(grpc::ServerContext*, const v1::GetVersionRequest*, v1::Version* response) override {
    *response = service::GetVersion();
    return grpc::Status::OK;
  }
  grpc::Status GetCapabilities(grpc::ServerContext*, const v1::GetCapabilitiesRequest*,
                               v1::Capabilities* response) override {
    *response = service::GetCapabilities(backend_.limits);
    return grpc::Status::OK;
  }

 private:
  const Backend& backend_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeSystemService(Backend& backend) { return std::make_unique<SystemService>(backend); }

}  // namespace bitplan::service
