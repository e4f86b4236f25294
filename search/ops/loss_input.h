#ifndef BITPLAN_SEARCH_OPS_LOSS_INPUT_H_
#define BITPLAN_SEARCH_OPS_LOSS_INPUT_H_

#include <string>
#include <vector>

#include "search/graph/graph.h"
#include "search/ops/sample_loss.h"

namespace bitplan::ops {

// The value that a loss reads of a network, and what users should know about it.
struct LossInput {
  ValueId value = kNoValue;
  std::string note;  // one sentence; empty if there is nothing to say
};

// graph.outputs[0], except that a loss of logits reads the input of its link function where the network ends in it: of
// a Softmax over the classes for cross-entropy, of a Sigmoid for binary cross-entropy. The loss is -log p of what they
// give, so this is the one the network was trained with, not that of probabilities taken for logits. Operators that
// only reshape (Flatten, Dropout, ..) may follow. A LogSoftmax needs nothing: log_softmax(log_softmax(z)) =
// log_softmax(z).
//
// The note tells of such an end, and of an end in probabilities of the wrong kind (the other function, another axis),
// which is taken as it is. `shapes` are those of InferShapes(graph, batch); the graph has an output.
LossInput FindLossInput(const Graph& graph, const std::vector<Shape>& shapes, const SampleLoss& loss);

}  // namespace bitplan::ops

#endif  // BITPLAN_SEARCH_OPS_LOSS_INPUT_H_
