#ifndef BITPLAN_TESTS_BENCH_INSTANCE_FILE_H_
#define BITPLAN_TESTS_BENCH_INSTANCE_FILE_H_

#include <optional>
#include <string>

#include "search/allocation/problem.h"

// Instance files (schema bitplan.mmkp.v1, plain or gzipped JSON; make_allocation_instances.py writes some) as problems.
// Costs in the files are real numbers: a row that is whole after multiplication by a power of ten up to 10^9 is taken
// exactly, any other is rounded up to 10^-9 (limits are rounded down).

namespace bitplan::bench {

struct Instance {
  std::string name;
  Problem problem;
};

// nullopt: not JSON.
std::optional<Instance> ReadInstance(const std::string& path);

}  // namespace bitplan::bench

#endif  // BITPLAN_TESTS_BENCH_INSTANCE_FILE_H_
