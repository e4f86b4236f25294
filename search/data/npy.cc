#include "search/data/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "search/base/status.h"
#include "search/base/text.h"
#include "search/tensor/half.h"

namespace bitplan::data {
namespace {

static_assert(std::endian::native == std::endian::little, "element bytes are copied as they are");

constexpr std::string_view kMagic = "\x93NUMPY";
// Headers of real files have 100 bytes or so; structured types, which are refused, have more.
constexpr size_t kMaxHeaderBytes = 64 * 1024;

struct Header {
  std::string descr;
  bool fortran_order = false;
  Shape shape;
};

// Reads the header, a Python dictionary literal such as {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }.
// Only what numpy writes is understood: string, boolean and tuple values.
class HeaderParser {
 public:
  explicit HeaderParser(std::string_view text, int64_t max_rank) : text_(text), max_rank_(max_rank) {}

  absl::StatusOr<Header> Parse() {
    Header header;
    int seen = 0;
    if (!Eat('{')) return Malformed("does not begin with {");
    while (!Eat('}')) {
      BITPLAN_ASSIGN_OR_RETURN(const std::string key, String());
      if (!Eat(':')) return Malformed("':' missing after a key");
      BITPLAN_RETURN_IF_ERROR(ParseEntry(key, header, seen));
      if (!Eat(',') && Peek() != '}') return Malformed("',' or '}' missing after a value");
    }
    if (Peek() != '\0') return Malformed("text after the closing brace");
    if (seen != kAllKeys) return Malformed("want each of descr, fortran_order and shape");
    return header;
  }

 private:
  enum KeyBit { kDescr = 1, kOrder = 2, kShape = 4, kAllKeys = 7 };

  absl::Status ParseEntry(const std::string& key, Header& header, int& seen) {
    if (key == "descr") {
      if (Peek() == '[') return Unimplemented("npy: structured types are not supported");
      BITPLAN_ASSIGN_OR_RETURN(header.descr, String());
      return MarkSeen(kDescr, seen);
    }
    if (key == "fortran_order") {
      BITPLAN_ASSIGN_OR_RETURN(header.fortran_order, Bool());
      return MarkSeen(kOrder, seen);
    }
    if (key == "shape") {
      BITPLAN_ASSIGN_OR_RETURN(header.shape, Tuple());
      return MarkSeen(kShape, seen);
    }
    return Malformed("unknown key");
  }

  static absl::Status MarkSeen(KeyBit key, int& seen) {
    if ((seen & key) != 0) return Malformed("a key occurs twice");
    seen |= key;
    return absl::OkStatus();
  }

  void SkipSpace() {
    while (position_ < text_.size() && (text_[position_] == ' ' || text_[position_] == '\n')) ++position_;
  }
  char Peek() {
    SkipSpace();
    return position_ < text_.size() ? text_[position_] : '\0';
  }
  bool Eat(char wanted) {
    if (Peek() != wanted) return false;
    ++position_;
    return true;
  }
  bool EatWord(std::string_view word) {
    SkipSpace();
    if (!text_.substr(position_).starts_with(word)) return false;
    position_ += word.size();
    return true;
  }

  absl::StatusOr<std::string> String() {
    const char quote = Peek();
    if (quote != '\'' && quote != '"') return Malformed("string expected");
    const size_t begin = ++position_;
    const size_t end = text_.find(quote, begin);
    if (end == std::string_view::npos) return Malformed("string without end");
    position_ = end + 1;
    return std::string(text_.substr(begin, end - begin));
  }

  absl::StatusOr<bool> Bool() {
    if (EatWord("True")) return true;
    if (EatWord("False")) return false;
    return Malformed("True or False expected");
  }

  absl::StatusOr<Shape> Tuple() {
    Shape shape;
    if (!Eat('(')) return Malformed("'(' expected");
    while (!Eat(')')) {
      BITPLAN_ASSIGN_OR_RETURN(const int64_t size, Size());
      shape.push_back(size);
      if (static_cast<int64_t>(shape.size()) > max_rank_) {
        return InvalidArgument("npy: more than {} dimensions", max_rank_);
      }
      if (!Eat(',') && Peek() != ')') return Malformed("',' or ')' missing in the shape");
    }
    return shape;
  }

  absl::StatusOr<int64_t> Size() {
    SkipSpace();
    int64_t size = 0;
    const char* begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), size);
    if (error != std::errc{} || size < 0) return Malformed("a size is not a number from 0 to 2^63 - 1");
    position_ += end - begin;
    return size;
  }

  static absl::Status Malformed(std::string_view what) { return InvalidArgument("npy: malformed header: {}", what); }

  std::string_view text_;
  int64_t max_rank_;
  size_t position_ = 0;
};

template <typename Number>
Number ReadLittleEndian(std::string_view bytes, size_t offset) {
  Number value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

// Splits off the header text; `bytes` is left at the first element.
absl::StatusOr<std::string_view> TakeHeader(std::string_view& bytes) {
  constexpr size_t kVersionEnd = kMagic.size() + 2;
  if (!bytes.starts_with(kMagic)) return InvalidArgument("npy: not an .npy file (magic number missing)");
  if (bytes.size() < kVersionEnd) return InvalidArgument("npy: truncated in the header");
  const int major = static_cast<uint8_t>(bytes[kMagic.size()]);
  if (major < 1 || major > 3) return Unimplemented("npy: format version {}, want 1 to 3", major);
  const size_t length_bytes = major == 1 ? 2 : 4;
  const size_t text_begin = kVersionEnd + length_bytes;
  if (bytes.size() < text_begin) return InvalidArgument("npy: truncated in the header");
  const size_t length =
      major == 1 ? ReadLittleEndian<uint16_t>(bytes, kVersionEnd) : ReadLittleEndian<uint32_t>(bytes, kVersionEnd);
  if (length > kMaxHeaderBytes)
    return InvalidArgument("npy: header of {} bytes, want at most {}", length, kMaxHeaderBytes);
  if (length > bytes.size() - text_begin) return InvalidArgument("npy: truncated in the header");
  const std::string_view text = bytes.substr(text_begin, length);
  bytes.remove_prefix(text_begin + length);
  return text;
}

// double -> float where the value may be too large; NaN and infinity stay what they are.
absl::StatusOr<float> Narrow(double value, int64_t index) {
  if (std::isfinite(value) && std::abs(value) > std::numeric_limits<float>::max()) {
    return InvalidArgument("npy: element {}: {} is beyond the range of float", index, value);
  }
  return static_cast<float>(value);
}

template <typename Stored, typename Out, typename Convert>
absl::StatusOr<Array> Decode(Shape shape, std::string_view bytes, const Convert& convert) {
  const int64_t count = static_cast<int64_t>(bytes.size() / sizeof(Stored));
  Out out(count);
  for (int64_t i = 0; i < count; ++i) {
    BITPLAN_ASSIGN_OR_RETURN(out[i], convert(ReadLittleEndian<Stored>(bytes, i * sizeof(Stored)), i));
  }
  return Array{.shape = std::move(shape), .data = std::move(out)};
}

template <typename Stored>
absl::StatusOr<Array> DecodeInts(Shape shape, std::string_view bytes) {
  const auto convert = [](Stored value, int64_t index) -> absl::StatusOr<int64_t> {
    if (!std::in_range<int64_t>(value)) return InvalidArgument("npy: element {}: {} is beyond int64", index, value);
    return static_cast<int64_t>(value);
  };
  return Decode<Stored, std::vector<int64_t>>(std::move(shape), bytes, convert);
}

absl::StatusOr<Array> DecodeHalf(Shape shape, std::string_view bytes) {
  const auto convert = [](uint16_t bits, int64_t) -> absl::StatusOr<float> { return HalfToFloat(bits); };
  return Decode<uint16_t, FloatVector>(std::move(shape), bytes, convert);
}

absl::StatusOr<Array> DecodeDouble(Shape shape, std::string_view bytes) {
  return Decode<double, FloatVector>(std::move(shape), bytes, &Narrow);
}

absl::StatusOr<Array> DecodeFloat(Shape shape, std::string_view bytes) {
  FloatVector out(bytes.size() / sizeof(float));
  if (!out.empty()) std::memcpy(out.data(), bytes.data(), bytes.size());
  return Array{.shape = std::move(shape), .data = std::move(out)};
}

struct ElementType {
  std::string_view code;  // as in `descr`, without the byte order
  int64_t size;           // bytes
  absl::StatusOr<Array> (*decode)(Shape, std::string_view);
};

constexpr auto kElementTypes = std::to_array<ElementType>({{"f4", 4, &DecodeFloat},
                                                           {"f8", 8, &DecodeDouble},
                                                           {"f2", 2, &DecodeHalf},
                                                           {"i8", 8, &DecodeInts<int64_t>},
                                                           {"i4", 4, &DecodeInts<int32_t>},
                                                           {"i2", 2, &DecodeInts<int16_t>},
                                                           {"i1", 1, &DecodeInts<int8_t>},
                                                           {"u8", 8, &DecodeInts<uint64_t>},
                                                           {"u4", 4, &DecodeInts<uint32_t>},
                                                           {"u2", 2, &DecodeInts<uint16_t>},
                                                           {"u1", 1, &DecodeInts<uint8_t>},
                                                           {"b1", 1, &DecodeInts<uint8_t>}});

std::string KnownTypes() {
  std::string known;
  for (const ElementType& type : kElementTypes) known += fmt::format("{}{}", known.empty() ? "" : ", ", type.code);
  return known;
}

absl::StatusOr<const ElementType*> FindElementType(std::string_view descr) {
  for (const ElementType& type : kElementTypes) {
    if (descr.size() != 3 || descr.substr(1) != type.code) continue;
    const char order = descr.front();
    if (order == '<' || order == '=' || (type.size == 1 && order == '|')) return &type;
    if (order == '>')
      return Unimplemented("npy: big endian type '{}' is not supported, save it as '<{}'", descr, type.code);
  }
  return Unimplemented("npy: element type '{}' is not supported, want one of {}", Printable(descr), KnownTypes());
}

// Fortran and C order agree where at most one size is not 1.
bool OrderMatters(const Shape& shape) {
  return std::ranges::count_if(shape, [](int64_t size) { return size != 1; }) > 1;
}

}  // namespace

absl::StatusOr<Array> ParseNpy(std::string_view bytes, const NpyLimits& limits) {
  BITPLAN_ASSIGN_OR_RETURN(const std::string_view text, TakeHeader(bytes));
  BITPLAN_ASSIGN_OR_RETURN(Header header, HeaderParser(text, limits.max_rank).Parse());
  BITPLAN_ASSIGN_OR_RETURN(const ElementType* type, FindElementType(header.descr));
  if (header.fortran_order && OrderMatters(header.shape)) {
    return Unimplemented("npy: Fortran order is not supported, save numpy.ascontiguousarray(x)");
  }
  const int64_t count = CheckedNumElements(header.shape, limits.max_elements);
  if (count < 0)
    return InvalidArgument("npy: shape {} has more than {} elements", ToString(header.shape), limits.max_elements);
  if (static_cast<int64_t>(bytes.size()) != count * type->size) {
    return InvalidArgument("npy: {} bytes of elements, want {} for shape {} of {}", bytes.size(), count * type->size,
                           ToString(header.shape), header.descr);
  }
  return type->decode(std::move(header.shape), bytes);
}

std::string MakeNpy(const Array& array) {
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", array.is_float() ? "<f4" : "<i8",
                  fmt::join(array.shape, ", "), array.shape.size() == 1 ? "," : "");
  // The elements begin at a multiple of 64 bytes, as numpy writes them; the padding ends in a newline.
  constexpr size_t kPrefix = kMagic.size() + 4;
  header.append(63 - (kPrefix + header.size()) % 64, ' ').push_back('\n');
  std::string out(kMagic);
  out.append({'\x01', '\x00', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)});
  out.append(header);
  std::visit(
      [&out](const auto& data) {
        if (!data.empty()) out.append(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(data[0]));
      },
      array.data);
  return out;
}

}  // namespace bitplan::data
