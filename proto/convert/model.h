#ifndef BITPLAN_PROTO_CONVERT_MODEL_H_
#define BITPLAN_PROTO_CONVERT_MODEL_H_

#include "bitplan/v1/dataset.pb.h"
#include "bitplan/v1/model.pb.h"
#include "bitplan/v1/profile.pb.h"
#include "search/data/dataset.h"
#include "search/graph/graph.h"
#include "search/hardware/profile.h"

// Things that are uploaded as files: what the server tells about them.

namespace bitplan::convert {

// Layers, inputs and outputs.
v1::Model FromGraph(const Graph& graph);

// Arrays and the number of samples.
v1::Dataset FromDataset(const Dataset& dataset);

// Description, digest, resources, provenance.
v1::Profile FromProfile(const HardwareProfile& profile);

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_MODEL_H_
