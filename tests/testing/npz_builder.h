#ifndef BITPLAN_TESTS_TESTING_NPZ_BUILDER_H_
#define BITPLAN_TESTS_TESTING_NPZ_BUILDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "search/data/npy.h"

namespace bitplan::testing {

using NamedArrays = std::vector<std::pair<std::string, data::Array>>;

// An .npz archive of the arrays, members stored. Ends the test program on names that data::MakeNpz refuses.
std::string MakeNpzOf(const NamedArrays& arrays);

// Arrays of `shape`: every element `value`, and 0, 1, 2, .. (mod `modulus`).
data::Array FilledArray(Shape shape, float value);
data::Array CountingLabels(int64_t count, int64_t modulus);

// What a member of a hand-made zip archive claims about itself; the lies that a test wants to tell.
struct RawZipMember {
  std::string name;
  std::string packed;
  int method = 0;  // 0 stored, 8 deflated
  uint64_t declared_size = 0;
  uint32_t crc = 0;
  uint16_t flags = 0;
  bool zip64 = false;  // sizes and offset in the zip64 extra field
};

// A zip archive byte by byte. `count` is how many entries the end record claims.
std::string MakeRawZip(const std::vector<RawZipMember>& members, uint16_t count);

// `bytes` as raw deflate data, and their CRC-32.
std::string Deflate(const std::string& bytes);
uint32_t Crc32(const std::string& bytes);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_NPZ_BUILDER_H_
