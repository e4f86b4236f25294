#ifndef BITPLAN_CLIENT_LOSS_OUTPUT_H_
#define BITPLAN_CLIENT_LOSS_OUTPUT_H_

#include <string>
#include <vector>

#include "search/exporters/exporter_table.h"

namespace bitplan::client {

// What a format could not say, as a table with one row for all layers that share field, words and reason; empty without
// losses. No line break at the end.
std::string RenderLosses(const std::vector<ExportLoss>& losses);

// {"losses": [{"layer": .., "field": .., "wanted": .., "written": .., "reason": ..}]}, one a layer.
std::string LossesJson(const std::vector<ExportLoss>& losses);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_LOSS_OUTPUT_H_
