#ifndef BITPLAN_SEARCH_BASE_CHECK_H_
#define BITPLAN_SEARCH_BASE_CHECK_H_

// BITPLAN_CHECK(condition): aborts with file and line if the condition is false. Only for our own bugs, announced in
// the comment of the function that checks; nothing that arrives from outside may reach one.

namespace bitplan::internal {
[[noreturn]] void CheckFailed(const char* condition, const char* file, int line);
}  // namespace bitplan::internal

#define BITPLAN_CHECK(condition)                                        \
  do {                                                                  \
    if (!(condition)) [[unlikely]] {                                    \
      ::bitplan::internal::CheckFailed(#condition, __FILE__, __LINE__); \
    }                                                                   \
  } while (false)

#endif  // BITPLAN_SEARCH_BASE_CHECK_H_
