#ifndef BITPLAN_PROTO_CONVERT_FRONTIER_H_
#define BITPLAN_PROTO_CONVERT_FRONTIER_H_

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "bitplan/v1/plan.pb.h"
#include "search/pipeline/run_frontier.h"

// Frontiers. Paths in errors are relative to the message converted.

namespace bitplan::convert {

// Everything but the profile, which the caller looks up. kInvalidArgument as for ToSearchRequest ("config..."), an
// unknown resource, a limit that cannot be read.
absl::StatusOr<FrontierSearch> ToFrontierSearch(const v1::ComputeFrontierRequest& message, double default_time_limit_s);

// Turns the parts of one frontier into messages. Points come after the terms.
class FrontierMessages {
 public:
  // Everything but `config`.
  v1::FrontierTerms FromTerms(const FrontierTerms& terms);
  v1::FrontierPoint FromPoint(const FrontierPoint& point, size_t index, size_t count) const;

 private:
  std::vector<Resource> resources_;
  std::vector<std::vector<int>> index_;  // [layer][option]: position among the different options
};

v1::FrontierSummary FromSummary(const Frontier& frontier);

// Puts updates together; a point that comes again replaces the one before it.
class FrontierGatherer {
 public:
  void Add(v1::FrontierUpdate update);
  bool is_complete() const { return frontier_.has_summary(); }
  // Points by rising limit.
  v1::Frontier Take();

 private:
  v1::Frontier frontier_;
  std::map<int, v1::FrontierPoint> points_;
};

}  // namespace bitplan::convert

#endif  // BITPLAN_PROTO_CONVERT_FRONTIER_H_
