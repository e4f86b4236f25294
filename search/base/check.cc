#include "search/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace bitplan::internal {

void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: internal error: %s is false\n", file, line, condition);
  std::abort();
}

}  // namespace bitplan::internal
