#include "search/hardware/coverage.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "search/base/status.h"
#include "search/hardware/price.h"
#include "search/hardware/support.h"

namespace bitplan {

bool Coverage::is_complete() const {
  return std::ranges::all_of(layers, [](const LayerCoverage& layer) {
    return layer.num_supported > 0 &&
           std::ranges::all_of(layer.unpriced, [](const auto& entry) { return entry.second.empty(); });
  });
}

namespace hardware {
namespace {

using Json = nlohmann::ordered_json;

// Of no layer in particular: the most of the execution, known for every option.
bool IsPeak(Resource resource, const HardwareProfile& profile) {
  return resource == Resource::kMemory && profile.memory &&
         std::ranges::find(profile.measured, resource, &MeasuredTable::resource) == profile.measured.end();
}

LayerCoverage CoverageOf(const Layer& layer, const std::vector<Option>& options,
                         const std::vector<CostSources>& sources, const HardwareProfile& profile) {
  LayerCoverage coverage{.layer = layer.name, .kind = layer.kind};
  for (size_t k = 0; k < options.size(); ++k) {
    if (const std::string why = WhyUnsupported(layer, options[k], profile); !why.empty()) {
      coverage.unsupported[why].insert(Label(options[k]));
      continue;
    }
    ++coverage.num_supported;
    const Widths widths{options[k].weight_bits, options[k].activation_bits};
    for (const Resource resource : PricedResources(profile)) {
      if (IsPeak(resource, profile)) {
        coverage.priced[resource][CostSource::kModel].insert(widths);
        continue;
      }
      const auto source = sources[k].find(resource);
      if (source == sources[k].end()) {
        coverage.unpriced[resource].insert(widths);
      } else {
        coverage.priced[resource][source->second].insert(widths);
      }
    }
  }
  return coverage;
}

Json ToJsonArray(const std::set<Widths>& widths) {
  Json json = Json::array();
  for (const Widths& pair : widths) json.push_back(ToString(pair));
  return json;
}

Json ToJsonValue(const LayerCoverage& layer, const std::vector<Resource>& resources) {
  Json by_resource = Json::object();
  for (const Resource resource : resources) {
    Json sources = Json::object();
    if (const auto priced = layer.priced.find(resource); priced != layer.priced.end()) {
      for (const auto& [source, widths] : priced->second) {
        sources[std::string(bitplan::ToString(source))] = ToJsonArray(widths);
      }
    }
    if (const auto none = layer.unpriced.find(resource); none != layer.unpriced.end()) {
      sources["none"] = ToJsonArray(none->second);
    }
    by_resource[std::string(bitplan::ToString(resource))] = sources;
  }
  Json unsupported = Json::array();
  for (const auto& [reason, options] : layer.unsupported) {
    unsupported.push_back({{"reason", reason}, {"options", options}});
  }
  return {{"layer", layer.layer},
          {"kind", bitplan::ToString(layer.kind)},
          {"supported_options", layer.num_supported},
          {"resources", by_resource},
          {"unsupported", unsupported}};
}

}  // namespace

absl::StatusOr<Coverage> FindCoverage(const LayerTable& layers, const OptionTable& options,
                                      const HardwareProfile& profile) {
  BITPLAN_ASSIGN_OR_RETURN(const CostTable costs, Price(layers, options, profile));
  Coverage coverage{.profile = profile.name, .resources = PricedResources(profile), .layers = {}};
  for (size_t i = 0; i < layers.layers.size(); ++i) {
    coverage.layers.push_back(CoverageOf(layers.layers[i], options.options[i], costs.sources[i], profile));
  }
  return coverage;
}

std::string ToJson(const Coverage& coverage) {
  Json layers = Json::array();
  for (const LayerCoverage& layer : coverage.layers) layers.push_back(ToJsonValue(layer, coverage.resources));
  const Json json = {
      {"profile", coverage.profile}, {"complete", coverage.is_complete()}, {"layers", std::move(layers)}};
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace hardware
}  // namespace bitplan
