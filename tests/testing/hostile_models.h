#ifndef BITPLAN_TESTS_TESTING_HOSTILE_MODELS_H_
#define BITPLAN_TESTS_TESTING_HOSTILE_MODELS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace bitplan::testing {

// One thing a stranger may upload, and what it must be answered with.
struct HostileCase {
  std::string name;
  std::string bytes;
  absl::StatusCode code = absl::StatusCode::kInvalidArgument;
  std::string message;  // part of the answer
};

// ONNX files: bombs, cycles, non-finite weights, absurd shapes, unknown operators, deep nesting, ... At most 8 MiB
// each.
std::vector<HostileCase> HostileModels();

// Calibration files that no network could use: broken archives, bombs, wrong types, non-finite numbers.
std::vector<HostileCase> HostileDatasets();

// Well-formed calibration files that do not fit TinyClassifier() (onnx_writer.h): wrong shapes, labels out of range.
std::vector<HostileCase> MismatchedDatasets();

// A calibration file for TinyClassifier(): 8 samples of increasing values, labels 0..2.
std::string TinyCalibration();

// --- mutations, all deterministic ---

// `bytes` with bit `bit` (0 .. 8 * size - 1) flipped.
std::string FlipBit(std::string bytes, size_t bit);

// A copy of `bytes` with up to 8 random edits: bytes overwritten, removed, repeated or inserted, chunks swapped.
std::string Mutate(std::string bytes, uint64_t seed);

// Random bytes; every fourth seed gives bytes that are likely to be tags of protobuf fields.
std::string RandomBytes(size_t size, uint64_t seed);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_HOSTILE_MODELS_H_
