#ifndef BITPLAN_PROTO_CONVERT_OPTIONS_H_
#define BITPLAN_PROTO_CONVERT_OPTIONS_H_

#include "absl/status/statusor.h"
#include "bitplan/v1/common.pb.h"
#include "search/base/resource.h"
#include "search/layer/layer.h"

// Layers, options and costs. Paths in errors are relative to the message converted.

namespace bitplan::convert {

// Fills defaults in: activation bits 8, scheme "given", granularity "per_channel". kInvalidArgument: bits out of 1..32,
// an unknown granularity. The scheme is not looked up: given sensitivities may name any.
absl::StatusOr<Option> ToOption(const v1::Option& message);
v1::Option FromOption(const Option& option);

// kInvalidArgument: an unknown kind. Counts are left to the core's validation.
absl::StatusOr<Layer> ToLayer(const v1::Layer& message);
v1::Layer FromLayer(const Layer& layer);

// Repeated entries of one resource, unknown ones and negative amounts are refused: "costs[1].amount: got -1, want >=
// 0".
absl::StatusOr<Costs> ToCosts(const google::protobuf::RepeatedPtrField<v1::Cost>& messages);
// One entry for each resource, in the order of kResources.
void FromCosts(const Costs& costs, google::protobuf::RepeatedPtrField<v1::Cost>* messages);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_OPTIONS_H_
