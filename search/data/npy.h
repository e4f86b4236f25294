#ifndef BITPLAN_SEARCH_DATA_NPY_H_
#define BITPLAN_SEARCH_DATA_NPY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "search/tensor/tensor.h"

namespace bitplan::data {

// A decoded array, row-major.
struct Array {
  Shape shape;
  std::variant<FloatVector, std::vector<int64_t>> data;  // floats where the file holds floats, else integers

  bool is_float() const { return std::holds_alternative<FloatVector>(data); }
};

struct NpyLimits {
  int64_t max_rank = 8;
  int64_t max_elements = int64_t{1} << 27;  // 512 MiB as float
};

// Reads one NumPy .npy file, versions 1.0, 2.0 and 3.0
// (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
//
//   types   f2, f4, f8 (to float), i1, i2, i4, i8, u1, u2, u4, u8 (to int64), b1 (to 0 and 1)
//   order   little endian (or one byte), C order; Fortran order is accepted where it is the same (at most one size > 1)
//
// Errors: kInvalidArgument: not an .npy file, truncated, bytes left over, malformed header, over max_rank or 2^40
// elements,
//         a double beyond the range of float, u8 beyond int64. kUnimplemented: big endian, Fortran order, other types
//         (complex, strings, objects: an object array is a pickle and is never read).
absl::StatusOr<Array> ParseNpy(std::string_view bytes, const NpyLimits& limits = {});

// Writes version 1.0, little endian, C order: '<f4' or '<i8'.
std::string MakeNpy(const Array& array);

}  // namespace bitplan::data

#endif  // BITPLAN_SEARCH_DATA_NPY_H_
