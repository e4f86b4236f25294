#include "search/data/zip.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "search/base/status.h"

namespace bitplan::data {
namespace {

// Signatures and fixed lengths of the records, APPNOTE sections 4.3.7, 4.3.12, 4.3.14 to 4.3.16.
constexpr uint32_t kLocalSignature = 0x04034b50;
constexpr uint32_t kCentralSignature = 0x02014b50;
constexpr uint32_t kEndSignature = 0x06054b50;
constexpr uint32_t kEnd64Signature = 0x06064b50;
constexpr uint32_t kLocator64Signature = 0x07064b50;
constexpr int64_t kLocalBytes = 30;
constexpr int64_t kCentralBytes = 46;
constexpr int64_t kEndBytes = 22;
constexpr int64_t kEnd64Bytes = 56;
constexpr int64_t kLocator64Bytes = 20;
constexpr uint16_t kZip64Extra = 1;
constexpr uint16_t kFlagEncrypted = 1;
constexpr int kStored = 0;
constexpr int kDeflated = 8;
// A 16-bit or 32-bit field of ones says: look into the zip64 record.
constexpr uint64_t kIn64 = 0xFFFFFFFF;
constexpr uint64_t kIn64Short = 0xFFFF;
// The best that deflate can do: 258 bytes from two bits (RFC 1951), and some bytes for the shortest streams.
constexpr int64_t kMaxDeflateRatio = 1032;
constexpr int64_t kDeflateSlack = 1024;

absl::Status Truncated(std::string_view what) { return InvalidArgument("zip: {} is truncated or misplaced", what); }

// Little-endian numbers of a record that lies inside the archive.
class Record {
 public:
  explicit Record(std::string_view bytes) : bytes_(bytes) {}
  uint16_t U16(size_t offset) const { return Read<uint16_t>(offset); }
  uint32_t U32(size_t offset) const { return Read<uint32_t>(offset); }
  uint64_t U64(size_t offset) const { return Read<uint64_t>(offset); }

 private:
  template <typename Number>
  Number Read(size_t offset) const {
    Number value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(value));
    return value;
  }
  std::string_view bytes_;
};

// The `length` bytes at `offset`, or nothing if they are not inside.
std::optional<std::string_view> Slice(std::string_view bytes, uint64_t offset, uint64_t length) {
  if (offset > bytes.size() || length > bytes.size() - offset) return std::nullopt;
  return bytes.substr(offset, length);
}

struct Directory {
  uint64_t entries = 0;
  uint64_t offset = 0;
  uint64_t size = 0;
};

absl::StatusOr<Directory> ReadDirectory64(std::string_view bytes, size_t end_offset) {
  if (end_offset < kLocator64Bytes) return Truncated("the zip64 locator");
  const Record locator(bytes.substr(end_offset - kLocator64Bytes, kLocator64Bytes));
  if (locator.U32(0) != kLocator64Signature) return Truncated("the zip64 locator");
  const auto slice = Slice(bytes, locator.U64(8), kEnd64Bytes);
  if (!slice || Record(*slice).U32(0) != kEnd64Signature) return Truncated("the zip64 end record");
  const Record end(*slice);
  if (end.U32(16) != 0 || end.U32(20) != 0) return Unimplemented("zip: archives on several disks are not supported");
  return Directory{.entries = end.U64(32), .offset = end.U64(48), .size = end.U64(40)};
}

// The end record is the last one whose comment reaches exactly to the end of the file.
absl::StatusOr<Directory> FindDirectory(std::string_view bytes) {
  constexpr size_t kMaxComment = 0xFFFF;
  if (bytes.size() < kEndBytes) return InvalidArgument("zip: not a zip archive");
  const size_t last = bytes.size() - kEndBytes;
  const size_t first = last > kMaxComment ? last - kMaxComment : 0;
  for (size_t offset = last + 1; offset-- > first;) {
    const Record end(bytes.substr(offset, kEndBytes));
    if (end.U32(0) != kEndSignature || end.U16(20) != last - offset) continue;
    if (end.U16(4) != 0 || end.U16(6) != 0) return Unimplemented("zip: archives on several disks are not supported");
    const Directory directory{.entries = end.U16(10), .offset = end.U32(16), .size = end.U32(12)};
    const bool in64 = directory.entries == kIn64Short || directory.offset == kIn64 || directory.size == kIn64;
    return in64 ? ReadDirectory64(bytes, offset) : directory;
  }
  return InvalidArgument("zip: not a zip archive, or truncated (no end record)");
}

struct Sizes {
  uint64_t size = 0;
  uint64_t packed_size = 0;
  uint64_t local_offset = 0;
};

// Replaces the fields that are all ones by their 64-bit values; these follow each other in the zip64 extra field.
absl::Status ReadExtra64(std::string_view extra, Sizes& sizes) {
  uint64_t* const fields[] = {&sizes.size, &sizes.packed_size, &sizes.local_offset};
  if (std::ranges::none_of(fields, [](const uint64_t* field) { return *field == kIn64; })) return absl::OkStatus();
  while (extra.size() >= 4) {
    const Record header(extra);
    const auto body = Slice(extra, 4, header.U16(2));
    if (!body) break;
    if (header.U16(0) == kZip64Extra) {
      size_t offset = 0;
      for (uint64_t* field : fields) {
        if (*field != kIn64) continue;
        if (offset + 8 > body->size()) return Truncated("a zip64 extra field");
        *field = Record(*body).U64(offset);
        offset += 8;
      }
      return absl::OkStatus();
    }
    extra.remove_prefix(4 + body->size());
  }
  return Truncated("a zip64 extra field");
}

// Finds the packed bytes behind the local header, whose name and extra field may differ in length from the directory's.
absl::Status LocateData(std::string_view bytes, const Sizes& sizes, ZipEntry& entry) {
  const auto local = Slice(bytes, sizes.local_offset, kLocalBytes);
  if (!local || Record(*local).U32(0) != kLocalSignature) return Truncated("a local header");
  const uint64_t offset = sizes.local_offset + kLocalBytes + Record(*local).U16(26) + Record(*local).U16(28);
  if (!Slice(bytes, offset, sizes.packed_size)) return Truncated("the data of a member");
  entry.data_offset = static_cast<int64_t>(offset);
  entry.packed_size = static_cast<int64_t>(sizes.packed_size);
  return absl::OkStatus();
}

absl::Status CheckSize(const Sizes& sizes, ZipEntry& entry) {
  const bool possible = entry.method == kStored
                            ? sizes.size == sizes.packed_size
                            : sizes.size / kMaxDeflateRatio <= sizes.packed_size + kDeflateSlack / kMaxDeflateRatio;
  if (!possible) {
    return InvalidArgument("zip: a member declares {} bytes unpacked from {} packed, which is not possible", sizes.size,
                           sizes.packed_size);
  }
  entry.size = static_cast<int64_t>(sizes.size);
  return absl::OkStatus();
}

// Reads the directory entry at the beginning of `rest` and moves `rest` behind it.
absl::StatusOr<ZipEntry> ReadEntry(std::string_view bytes, std::string_view& rest) {
  const auto fixed = Slice(rest, 0, kCentralBytes);
  if (!fixed || Record(*fixed).U32(0) != kCentralSignature) return Truncated("the central directory");
  const Record record(*fixed);
  const auto name = Slice(rest, kCentralBytes, record.U16(28));
  const auto extra = Slice(rest, kCentralBytes + record.U16(28), record.U16(30));
  const uint64_t length = kCentralBytes + record.U16(28) + record.U16(30) + record.U16(32);
  if (!name || !extra || length > rest.size()) return Truncated("the central directory");
  rest.remove_prefix(length);
  ZipEntry entry{.name = std::string(*name), .method = record.U16(10), .crc = record.U32(16)};
  if ((record.U16(8) & kFlagEncrypted) != 0) return Unimplemented("zip: encrypted members are not supported");
  if (entry.method != kStored && entry.method != kDeflated) {
    return Unimplemented("zip: compression method {}, want 0 (stored) or 8 (deflated)", entry.method);
  }
  Sizes sizes{.size = record.U32(24), .packed_size = record.U32(20), .local_offset = record.U32(42)};
  BITPLAN_RETURN_IF_ERROR(ReadExtra64(*extra, sizes));
  BITPLAN_RETURN_IF_ERROR(LocateData(bytes, sizes, entry));
  BITPLAN_RETURN_IF_ERROR(CheckSize(sizes, entry));
  return entry;
}

// Entries that share bytes are how a small archive unpacks to a large one (Fifield 2019, "A better zip bomb").
absl::Status CheckDisjoint(const std::vector<ZipEntry>& entries) {
  std::vector<std::pair<int64_t, int64_t>> ranges;
  ranges.reserve(entries.size());
  for (const ZipEntry& entry : entries) ranges.emplace_back(entry.data_offset, entry.data_offset + entry.packed_size);
  std::ranges::sort(ranges);
  for (size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].first < ranges[i - 1].second) return InvalidArgument("zip: members overlap");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Inflate(std::string_view packed, int64_t size) {
  // One byte more than declared, so that a longer stream is noticed.
  std::string out(size + 1, '\0');
  z_stream stream = {};
  if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return ResourceExhausted("zip: no memory to unpack");
  constexpr size_t kStep = size_t{1} << 30;  // zlib counts in unsigned int
  size_t taken = 0;
  size_t made = 0;
  int result = Z_OK;
  while (result == Z_OK) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + taken));
    stream.avail_in = static_cast<uInt>(std::min(kStep, packed.size() - taken));
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + made);
    stream.avail_out = static_cast<uInt>(std::min(kStep, out.size() - made));
    const size_t in_before = stream.avail_in;
    const size_t out_before = stream.avail_out;
    result = inflate(&stream, Z_NO_FLUSH);
    taken += in_before - stream.avail_in;
    made += out_before - stream.avail_out;
  }
  inflateEnd(&stream);
  if (result != Z_STREAM_END || taken != packed.size() || static_cast<int64_t>(made) != size) {
    return InvalidArgument("zip: damaged data: {} bytes unpacked, want {}", made, size);
  }
  out.resize(size);
  return out;
}

uint32_t Crc(std::string_view bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

// Appends little-endian numbers.
class Writer {
 public:
  Writer& U16(uint64_t value) { return Put(value, 2); }
  Writer& U32(uint64_t value) { return Put(value, 4); }
  Writer& Bytes(std::string_view bytes) {
    out_.append(bytes);
    return *this;
  }
  uint64_t size() const { return out_.size(); }
  std::string Take() { return std::move(out_); }

 private:
  Writer& Put(uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) out_.push_back(static_cast<char>(value >> (8 * i)));
    return *this;
  }
  std::string out_;
};

constexpr uint64_t kVersionNeeded = 20;         // 2.0, the first with today's layout
constexpr uint64_t kFlagUtf8 = 1U << 11;        // names are UTF-8
constexpr uint64_t kFirstDate = (1U << 5) | 1;  // 1 January 1980, the earliest date there is

// The part that local header and directory entry share: version to extra length.
void WriteCommon(Writer& out, const ZipMember& member, uint32_t crc) {
  out.U16(kVersionNeeded).U16(kFlagUtf8).U16(kStored).U16(0).U16(kFirstDate).U32(crc);
  out.U32(member.data.size()).U32(member.data.size()).U16(member.name.size()).U16(0);
}

}  // namespace

absl::StatusOr<std::vector<ZipEntry>> ListZip(std::string_view bytes, int64_t max_entries) {
  BITPLAN_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  if (directory.entries > static_cast<uint64_t>(max_entries)) {
    return InvalidArgument("zip: {} members, want at most {}", directory.entries, max_entries);
  }
  const auto slice = Slice(bytes, directory.offset, directory.size);
  if (!slice) return Truncated("the central directory");
  std::string_view rest = *slice;
  std::vector<ZipEntry> entries;
  for (uint64_t i = 0; i < directory.entries; ++i) {
    BITPLAN_ASSIGN_OR_RETURN(ZipEntry entry, ReadEntry(bytes, rest));
    entries.push_back(std::move(entry));
  }
  BITPLAN_RETURN_IF_ERROR(CheckDisjoint(entries));
  return entries;
}

absl::StatusOr<std::string> Unpack(std::string_view bytes, const ZipEntry& entry) {
  const std::string_view packed = bytes.substr(entry.data_offset, entry.packed_size);
  std::string out;
  if (entry.method == kStored) {
    out = packed;
  } else {
    BITPLAN_ASSIGN_OR_RETURN(out, Inflate(packed, entry.size));
  }
  if (const uint32_t crc = Crc(out); crc != entry.crc) {
    return InvalidArgument("zip: damaged data: CRC {:08x}, want {:08x}", crc, entry.crc);
  }
  return out;
}

absl::StatusOr<std::string> MakeZip(std::span<const ZipMember> members) {
  uint64_t total = kEndBytes;
  for (const ZipMember& member : members) {
    total += kLocalBytes + kCentralBytes + 2 * member.name.size() + member.data.size();
    if (member.name.size() > kIn64Short) return InvalidArgument("zip: a name of {} bytes", member.name.size());
  }
  if (total >= kIn64 || members.size() >= kIn64Short) {
    return InvalidArgument("zip: {} members of {} bytes, want less than 65535 and 4 GiB", members.size(), total);
  }
  Writer out;
  Writer directory;
  for (const ZipMember& member : members) {
    const uint64_t offset = out.size();
    const uint32_t crc = Crc(member.data);
    out.U32(kLocalSignature);
    WriteCommon(out, member, crc);
    out.Bytes(member.name).Bytes(member.data);
    directory.U32(kCentralSignature).U16(kVersionNeeded);
    WriteCommon(directory, member, crc);
    directory.U16(0).U16(0).U16(0).U32(0).U32(offset).Bytes(member.name);
  }
  const uint64_t directory_offset = out.size();
  const std::string entries = directory.Take();
  out.Bytes(entries).U32(kEndSignature).U16(0).U16(0).U16(members.size()).U16(members.size());
  out.U32(entries.size()).U32(directory_offset).U16(0);
  return out.Take();
}

}  // namespace bitplan::data
