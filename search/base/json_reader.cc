#include "search/base/json_reader.h"

#include <fmt/ranges.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "search/base/status.h"

namespace bitplan {

using Json = nlohmann::json;

struct JsonValue::Shared {
  Json root;
  std::string what;
  absl::Status status;
};

namespace {

const Json* AsJson(const void* node) { return static_cast<const Json*>(node); }

// First pass over the text: syntax, depth, keys that come twice (the library keeps the last). Builds nothing, so
// hostile nesting costs nothing. The names of the functions are the library's.
class StructureGuard final : public nlohmann::json_sax<Json> {
 public:
  explicit StructureGuard(const JsonLimits& limits) : limits_(limits) {}

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return true; }
  bool number_unsigned(number_unsigned_t /*value*/) override { return true; }
  bool number_float(number_float_t /*value*/, const string_t& /*text*/) override { return true; }
  bool string(string_t& /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool start_object(std::size_t /*size*/) override { return Open(); }
  bool end_object() override { return Close(); }
  bool start_array(std::size_t /*size*/) override { return Open(); }
  bool end_array() override { return Close(); }
  bool key(string_t& name) override {
    return keys_.back().insert(name).second ||
           Fail(InvalidArgument("{}: field '{}' comes twice in one object", limits_.what, name));
  }
  bool parse_error(std::size_t /*position*/, const std::string& /*token*/, const Json::exception& error) override {
    return Fail(InvalidArgument("{}: not JSON: {}", limits_.what, error.what()));
  }

  const absl::Status& status() const { return status_; }

 private:
  bool Open() {
    keys_.emplace_back();
    return std::cmp_less_equal(keys_.size(), limits_.max_depth) ||
           Fail(InvalidArgument("{}: nested deeper than {} levels", limits_.what, limits_.max_depth));
  }
  bool Close() {
    keys_.pop_back();
    return true;
  }
  bool Fail(absl::Status status) {
    status_ = std::move(status);
    return false;
  }

  JsonLimits limits_;
  std::vector<std::set<std::string>> keys_;
  absl::Status status_;
};

}  // namespace

void JsonValue::Fail(std::string_view message) const {
  if (shared_->status.ok()) shared_->status = InvalidArgument("{}: {}", path_, message);
}

void JsonValue::Check(const absl::Status& status) const {
  if (shared_->status.ok()) shared_->status = WithContext(status, path_);
}

void JsonValue::FailType(std::string_view wanted) const {
  if (node_ != nullptr) Fail(fmt::format("got {}, want {}", AsJson(node_)->type_name(), wanted));
}

std::string JsonValue::String() const {
  if (IsString()) return AsJson(node_)->get<std::string>();
  FailType("a string");
  return "";
}

int64_t JsonValue::Integer(IntegerRange range) const {
  const Json* json = AsJson(node_);
  if (json == nullptr || !json->is_number_integer()) {
    FailType("an integer");
    return 0;
  }
  const bool too_large = json->is_number_unsigned() && json->get<uint64_t>() > std::numeric_limits<int64_t>::max();
  const int64_t value = too_large ? 0 : json->get<int64_t>();
  if (!too_large && value >= range.least && value <= range.most) return value;
  Fail(fmt::format("got {}, want {}..{}", json->dump(), range.least, range.most));
  return 0;
}

uint64_t JsonValue::Unsigned() const {
  const Json* json = AsJson(node_);
  if (json != nullptr && json->is_number_unsigned()) return json->get<uint64_t>();
  FailType("an integer that is not negative");
  return 0;
}

double JsonValue::Number() const {
  const Json* json = AsJson(node_);
  if (json != nullptr && json->is_number() && std::isfinite(json->get<double>())) return json->get<double>();
  FailType("a finite number");
  return 0;
}

bool JsonValue::Bool() const {
  const Json* json = AsJson(node_);
  if (json != nullptr && json->is_boolean()) return json->get<bool>();
  FailType("true or false");
  return false;
}

bool JsonValue::IsString() const { return node_ != nullptr && AsJson(node_)->is_string(); }

std::string JsonValue::Text() const { return node_ == nullptr ? "null" : AsJson(node_)->dump(); }

JsonObject JsonValue::Object() const {
  if (node_ != nullptr && AsJson(node_)->is_object()) return JsonObject(*this);
  FailType("an object");
  return JsonObject(JsonValue(nullptr, path_, shared_));
}

std::vector<JsonValue> JsonValue::Array() const {
  std::vector<JsonValue> values;
  if (node_ == nullptr || !AsJson(node_)->is_array()) {
    FailType("an array");
    return values;
  }
  for (const Json& element : *AsJson(node_)) {
    values.push_back(JsonValue(&element, fmt::format("{}[{}]", path_, values.size()), shared_));
  }
  return values;
}

bool JsonObject::Has(std::string_view key) {
  known_.emplace(key);
  return value_.node_ != nullptr && AsJson(value_.node_)->contains(key);
}

JsonValue JsonObject::At(std::string_view key) {
  const Json* member = Has(key) ? &AsJson(value_.node_)->find(key).value() : nullptr;
  if (member == nullptr && value_.node_ != nullptr) value_.Fail(fmt::format("missing field '{}'", key));
  return JsonValue(member, fmt::format("{}.{}", value_.path_, key), value_.shared_);
}

std::vector<std::string> JsonObject::Keys() {
  std::vector<std::string> keys;
  if (value_.node_ == nullptr) return keys;
  for (const auto& [key, unused] : AsJson(value_.node_)->items()) keys.push_back(key);
  known_.insert(keys.begin(), keys.end());
  return keys;
}

void JsonObject::RefuseUnknownKeys() const {
  if (value_.node_ == nullptr) return;
  for (const auto& [key, unused] : AsJson(value_.node_)->items()) {
    if (known_.contains(key)) continue;
    value_.Fail(fmt::format("unknown field '{}', want only {}", key, fmt::join(known_, ", ")));
  }
}

JsonDocument::JsonDocument() : shared_(std::make_unique<JsonValue::Shared>()) {}
JsonDocument::~JsonDocument() = default;
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string_view text, const JsonLimits& limits) {
  if (std::cmp_greater(text.size(), limits.max_bytes)) {
    return InvalidArgument("{}: got {} bytes, want at most {}", limits.what, text.size(), limits.max_bytes);
  }
  StructureGuard guard(limits);
  Json::sax_parse(text, &guard);
  BITPLAN_RETURN_IF_ERROR(guard.status());
  JsonDocument document;
  document.shared_->what = limits.what;
  document.shared_->root = Json::parse(text, /*cb=*/nullptr, /*allow_exceptions=*/false);
  return document;
}

JsonObject JsonDocument::Root() const { return JsonValue(&shared_->root, shared_->what, shared_.get()).Object(); }
absl::Status JsonDocument::status() const { return shared_->status; }

}  // namespace bitplan
