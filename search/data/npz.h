#ifndef BITPLAN_SEARCH_DATA_NPZ_H_
#define BITPLAN_SEARCH_DATA_NPZ_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "search/data/dataset.h"
#include "search/data/npy.h"

namespace bitplan::data {

// What a data file from a stranger may cost. Over a limit: kInvalidArgument, naming the limit.
struct NpzLimits {
  // Calibration needs hundreds to thousands of samples: 512 MiB are 890 images of 3 x 224 x 224 floats.
  int64_t max_file_bytes = int64_t{512} << 20;
  // All arrays together, unpacked. Checked against the sizes the archive declares before anything is unpacked, and
  // again while unpacking.
  int64_t max_unpacked_bytes = int64_t{1} << 30;
  // A network has few inputs; a megabyte of central directory could list 20,000 entries.
  int64_t max_arrays = 64;
  // Elements of all arrays together: 512 MiB as float. Integers take 8 bytes while they are read.
  int64_t max_elements = int64_t{1} << 27;
  int64_t max_rank = 8;
};

// One member of an .npz archive: <name>.npy.
struct NamedArray {
  std::string name;
  Array array;
};

// Reads a zip archive of .npy files: members stored or deflated, with or without zip64, sizes in the directory, CRC
// checked. Order is that of the archive's directory.
//
// Errors: kInvalidArgument names the member: truncated, a name twice, overlapping members, a size or CRC that does not
//         match, over a limit, not an .npy file. kUnimplemented: encrypted, another compression method, several disks.
absl::StatusOr<std::vector<NamedArray>> ReadNpz(std::string_view bytes, const NpzLimits& limits = {});

// Writes arrays as an uncompressed .npz that numpy.load reads. Same arrays, same bytes: time stamps are zero.
// `npy` are whole .npy files. Errors: kInvalidArgument: no member, a name twice or empty, over 4 GiB.
struct NpzMember {
  std::string name;      // without ".npy"
  std::string_view npy;  // must outlive the call
};
absl::StatusOr<std::string> MakeNpz(std::span<const NpzMember> members);

// Calibration data from an .npz archive:
//   labels             integers [N] or [N, 1], 0 or more: class labels; floating point: real targets
//   targets            real targets of any numeric type [N, ...]; not together with labels
//   every other array  an input by its name; "images" and "inputs" feed the only input of a graph
//   a single number, or another first size than the number of samples
//                      an input that is the same for all samples (DatasetConstant); whether the network has such an
//                      input is seen when it is read (onnx::ParseOptions::data_constants)
// The number of samples is the first size of labels or targets, without them of images or inputs, else the largest.
// Pixels of type u1 and other integers become float as they are, those of constants stay integers.
//
// Errors: kInvalidArgument: no input, images, inputs, labels or targets of different numbers of samples, no sample, a
//         value that is not finite (array and index), a label below 0; all of ReadNpz.
absl::StatusOr<Dataset> ParseNpz(std::string_view bytes, const NpzLimits& limits = {});

}  // namespace bitplan::data

#endif  // BITPLAN_SEARCH_DATA_NPZ_H_
