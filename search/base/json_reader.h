#ifndef BITPLAN_SEARCH_BASE_JSON_READER_H_
#define BITPLAN_SEARCH_BASE_JSON_READER_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace bitplan {

// Strict reading of JSON from outside. The first thing that is wrong is kept, reads after it give empty values, and the
// caller asks once at the end:
//
//   BITPLAN_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(text, {.what = "profile"}));
//   JsonObject root = document.Root();
//   Profile profile{.name = root.String("name"), .bits = root.Integer("bits", {.least = 2, .most = 8})};
//   root.RefuseUnknownKeys();
//   BITPLAN_RETURN_IF_ERROR(document.status());
//
// Messages begin with the path of the field: "profile.measured[0].unit: got 'ms', want 'ns'".
// Threads: one.

struct JsonLimits {
  std::string_view what = "document";  // first word of every path
  int64_t max_bytes = 16 << 20;
  int max_depth = 16;
};

struct IntegerRange {
  int64_t least = std::numeric_limits<int64_t>::min();
  int64_t most = std::numeric_limits<int64_t>::max();
};

class JsonObject;

// One value of a document and its path. Must not outlive the document.
class JsonValue {
 public:
  std::string String() const;
  int64_t Integer(IntegerRange range = {}) const;  // an integer literal; 1.0 is none
  uint64_t Unsigned() const;                       // 0 .. 2^64 - 1
  double Number() const;                           // finite
  bool Bool() const;
  JsonObject Object() const;
  std::vector<JsonValue> Array() const;
  bool IsString() const;
  std::string Text() const;  // the value as JSON; numbers read back exactly

  const std::string& path() const { return path_; }
  // Records kInvalidArgument "<path>: <message>" unless something was wrong before.
  void Fail(std::string_view message) const;
  // Records a status that a parser of the text gave, with the path in front; OK is ignored.
  void Check(const absl::Status& status) const;

 private:
  friend class JsonDocument;
  friend class JsonObject;
  struct Shared;
  // `node` is a nlohmann::json; null stands for a value that is not there.
  JsonValue(const void* node, std::string path, Shared* shared)
      : node_(node), path_(std::move(path)), shared_(shared) {}
  void FailType(std::string_view wanted) const;

  const void* node_;
  std::string path_;
  Shared* shared_;
};

// An object; every key that is asked for counts as known.
class JsonObject {
 public:
  bool Has(std::string_view key);
  // The member, or an empty value and the error "<path>: missing field '<key>'".
  JsonValue At(std::string_view key);

  std::string String(std::string_view key) { return At(key).String(); }
  int64_t Integer(std::string_view key, IntegerRange range = {}) { return At(key).Integer(range); }
  double Number(std::string_view key) { return At(key).Number(); }
  bool Bool(std::string_view key) { return At(key).Bool(); }
  JsonObject Object(std::string_view key) { return At(key).Object(); }
  std::vector<JsonValue> Array(std::string_view key) { return At(key).Array(); }

  // Keys in the order of their bytes, for objects that are maps; makes all of them known.
  std::vector<std::string> Keys();
  // Records an error if there is a key that nobody asked for.
  void RefuseUnknownKeys() const;
  const std::string& path() const { return value_.path(); }

 private:
  friend class JsonValue;
  explicit JsonObject(JsonValue value) : value_(std::move(value)) {}

  JsonValue value_;
  std::set<std::string, std::less<>> known_;
};

// Owns a parsed text.
class JsonDocument {
 public:
  // kInvalidArgument: too long, too deep, not JSON (with the byte), a key twice in one object, not UTF-8.
  static absl::StatusOr<JsonDocument> Parse(std::string_view text, const JsonLimits& limits);
  ~JsonDocument();
  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;

  JsonObject Root() const;
  // The first thing that was wrong in any read so far.
  absl::Status status() const;

 private:
  JsonDocument();
  std::unique_ptr<JsonValue::Shared> shared_;
};

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_JSON_READER_H_
