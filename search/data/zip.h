#ifndef BITPLAN_SEARCH_DATA_ZIP_H_
#define BITPLAN_SEARCH_DATA_ZIP_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace bitplan::data {

// One file of a zip archive, checked against the archive's bytes.
struct ZipEntry {
  std::string name;         // as stored: any bytes
  int method = 0;           // 0 stored, 8 deflated
  uint32_t crc = 0;         // CRC-32 of the unpacked bytes
  int64_t packed_size = 0;  // bytes in the archive
  int64_t size = 0;         // bytes once unpacked, as declared
  int64_t data_offset = 0;  // of the packed bytes in the archive
};

// Lists a zip archive from its central directory (PKWARE APPNOTE 6.3.10), zip64 included. Nothing is unpacked and no
// path is ever opened. The packed bytes of all entries lie inside the archive and do not overlap, and no declared size
// exceeds what deflate can reach (1032 to 1).
//
// Errors: kInvalidArgument: truncated, inconsistent, over max_entries; kUnimplemented: several disks, encryption, other
//         compression methods.
absl::StatusOr<std::vector<ZipEntry>> ListZip(std::string_view bytes, int64_t max_entries);

// The unpacked bytes of an entry of ListZip(bytes). Allocates entry.size bytes; never more, whatever the data says.
// Errors: kInvalidArgument: damaged data, another size than declared, CRC mismatch.
absl::StatusOr<std::string> Unpack(std::string_view bytes, const ZipEntry& entry);

struct ZipMember {
  std::string name;
  std::string_view data;  // must outlive the call
};

// Writes an archive of stored members, time stamps zero. Errors: kInvalidArgument beyond 4 GiB or 65,534 members.
absl::StatusOr<std::string> MakeZip(std::span<const ZipMember> members);

}  // namespace bitplan::data

#endif  // BITPLAN_SEARCH_DATA_ZIP_H_
