#ifndef BITPLAN_SEARCH_OPS_LOSS_INPUT_H_
#define BITPLAN_SEARCH_OPS_LOSS_INPUT_H_

#include <string>
#include <vector>

#include "search/graph/graph.h"
#include "search/ops/losses.h"

namespace bitplan::ops {

// The value that a loss reads of a network, and what users should know about it.
struct LossInput {
  ValueId value = kNoValue;
  std::string note;  // one sentence; empty if there is nothing to say
};

// graph.outputs[0], except that a loss of logits reads the input of a Softmax over the classes that the network ends
// in: cross-entropy is -log p of that Softmax, so the loss is the one the network was trained with, not that of
// probabilities taken for logits. Operators that only reshape (Flatten, Dropout, ..) may follow the Softmax. A
// LogSoftmax needs nothing: log_softmax(log_softmax(z)) = log_softmax(z).
//
// The note tells of such a Softmax, and of an end in probabilities that is none (Sigmoid, another axis), which is taken
// as it is. `shapes` are those of InferShapes(graph, batch); the graph has an output.
LossInput FindLossInput(const Graph& graph, const std::vector<Shape>& shapes, const LossEntry& loss);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LOSS_INPUT_H_
