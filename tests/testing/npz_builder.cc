#include "tests/testing/npz_builder.h"

#include <zlib.h>

#include <cstring>

#include "search/base/check.h"
#include "search/data/npz.h"

namespace bitplan::testing {
namespace {

template <typename Number>
void Put(std::string& out, Number value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void PutSizes(std::string& out, const RawZipMember& member) {
  Put<uint32_t>(out, member.crc);
  Put<uint32_t>(out, member.zip64 ? 0xFFFFFFFF : static_cast<uint32_t>(member.packed.size()));
  Put<uint32_t>(out, member.zip64 ? 0xFFFFFFFF : static_cast<uint32_t>(member.declared_size));
  Put<uint16_t>(out, static_cast<uint16_t>(member.name.size()));
}

std::string Extra64(const RawZipMember& member, uint64_t offset) {
  std::string out;
  if (!member.zip64) return out;
  Put<uint16_t>(out, 1);
  Put<uint16_t>(out, 24);
  Put<uint64_t>(out, member.declared_size);
  Put<uint64_t>(out, member.packed.size());
  Put<uint64_t>(out, offset);
  return out;
}

std::string LocalRecord(const RawZipMember& member) {
  std::string out("PK\x03\x04");
  Put<uint16_t>(out, 45);
  Put<uint16_t>(out, member.flags);
  Put<uint16_t>(out, static_cast<uint16_t>(member.method));
  Put<uint32_t>(out, 0);
  PutSizes(out, member);
  Put<uint16_t>(out, 0);
  return out + member.name + member.packed;
}

std::string DirectoryRecord(const RawZipMember& member, uint64_t offset) {
  const std::string extra = Extra64(member, offset);
  std::string out("PK\x01\x02");
  Put<uint16_t>(out, 45);
  Put<uint16_t>(out, 45);
  Put<uint16_t>(out, member.flags);
  Put<uint16_t>(out, static_cast<uint16_t>(member.method));
  Put<uint32_t>(out, 0);
  PutSizes(out, member);
  Put<uint16_t>(out, static_cast<uint16_t>(extra.size()));
  Put<uint16_t>(out, 0);
  Put<uint16_t>(out, 0);
  Put<uint16_t>(out, 0);
  Put<uint32_t>(out, 0);
  Put<uint32_t>(out, member.zip64 ? 0xFFFFFFFF : static_cast<uint32_t>(offset));
  return out + member.name + extra;
}

}  // namespace

std::string MakeNpzOf(const NamedArrays& arrays) {
  std::vector<std::string> files;
  for (const auto& [name, array] : arrays) files.push_back(data::MakeNpy(array));
  std::vector<data::NpzMember> members;
  for (size_t i = 0; i < arrays.size(); ++i) members.push_back({.name = arrays[i].first, .npy = files[i]});
  absl::StatusOr<std::string> npz = data::MakeNpz(members);
  BITPLAN_CHECK(npz.ok());
  return *std::move(npz);
}

data::Array FilledArray(Shape shape, float value) {
  const int64_t count = NumElements(shape);
  return {.shape = std::move(shape), .data = FloatVector(count, value)};
}

data::Array CountingLabels(int64_t count, int64_t modulus) {
  std::vector<int64_t> labels(count);
  for (int64_t i = 0; i < count; ++i) labels[i] = i % modulus;
  return {.shape = {count}, .data = std::move(labels)};
}

std::string MakeRawZip(const std::vector<RawZipMember>& members, uint16_t count) {
  std::string out;
  std::string directory;
  for (const RawZipMember& member : members) {
    directory += DirectoryRecord(member, out.size());
    out += LocalRecord(member);
  }
  const auto offset = static_cast<uint32_t>(out.size());
  out += directory;
  out += "PK\x05\x06";
  Put<uint32_t>(out, 0);
  Put<uint16_t>(out, count);
  Put<uint16_t>(out, count);
  Put<uint32_t>(out, static_cast<uint32_t>(directory.size()));
  Put<uint32_t>(out, offset);
  Put<uint16_t>(out, 0);
  return out;
}

std::string Deflate(const std::string& bytes) {
  z_stream stream = {};
  BITPLAN_CHECK(deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 9, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string out(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  BITPLAN_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

uint32_t Crc32(const std::string& bytes) {
  return static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace bitplan::testing
