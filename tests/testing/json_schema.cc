#include "tests/testing/json_schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>

namespace bitplan::testing {
namespace {

using Json = nlohmann::json;

class Validator {
 public:
  explicit Validator(const Json& root) : root_(root) {}

  // Every keyword of `schema` in turn; the first violation, or "".
  std::string Check(const Json& value, const Json& schema, const std::string& path) const {
    if (schema.is_boolean()) return schema.get<bool>() ? "" : path + ": not allowed";
    for (const auto& [keyword, rule] : schema.items()) {
      if (std::string found = CheckKeyword(value, schema, keyword, rule, path); !found.empty()) return found;
    }
    return "";
  }

 private:
  std::string CheckKeyword(const Json& value, const Json& schema, const std::string& keyword, const Json& rule,
                           const std::string& path) const {
    if (keyword == "type") return HasType(value, rule) ? "" : fmt::format("{}: want {}", path, rule.dump());
    if (keyword == "const") return value == rule ? "" : fmt::format("{}: want {}", path, rule.dump());
    if (keyword == "enum") return Contains(rule, value) ? "" : fmt::format("{}: want one of {}", path, rule.dump());
    if (keyword == "pattern") return CheckPattern(value, rule, path);
    if (keyword == "minimum") return value.is_number() && value < rule ? path + ": too small" : "";
    if (keyword == "maximum") return value.is_number() && value > rule ? path + ": too large" : "";
    if (keyword == "minItems") return value.size() < rule.get<size_t>() ? path + ": too few items" : "";
    if (keyword == "required") return CheckRequired(value, rule, path);
    if (keyword == "properties") return CheckProperties(value, rule, path);
    if (keyword == "additionalProperties") return CheckOthers(value, schema, rule, path);
    if (keyword == "propertyNames") return CheckNames(value, rule, path);
    if (keyword == "items") return CheckItems(value, rule, path);
    if (keyword == "oneOf") return CheckOneOf(value, rule, path);
    if (keyword == "$ref") return Check(value, Resolve(rule), path);
    const bool is_comment = keyword == "description" || keyword == "title" || keyword == "$schema" ||
                            keyword == "$defs" || keyword == "$id" || keyword == "$comment";
    return is_comment ? "" : fmt::format("{}: the checker does not know '{}'", path, keyword);
  }

  static bool Contains(const Json& list, const Json& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
  }

  static bool HasType(const Json& value, const std::string& type) {
    if (type == "integer") return value.is_number_integer();
    if (type == "number") return value.is_number();
    return type == value.type_name();
  }

  static std::string CheckPattern(const Json& value, const std::string& pattern, const std::string& path) {
    if (!value.is_string() || std::regex_search(value.get<std::string>(), std::regex(pattern))) return "";
    return fmt::format("{}: '{}' does not match {}", path, value.get<std::string>(), pattern);
  }

  static std::string CheckRequired(const Json& value, const Json& keys, const std::string& path) {
    for (const std::string key : keys) {
      if (!value.contains(key)) return fmt::format("{}: no '{}'", path, key);
    }
    return "";
  }

  std::string CheckProperties(const Json& value, const Json& properties, const std::string& path) const {
    for (const auto& [key, rule] : properties.items()) {
      if (!value.contains(key)) continue;
      if (std::string found = Check(value[key], rule, path + "." + key); !found.empty()) return found;
    }
    return "";
  }

  std::string CheckOthers(const Json& value, const Json& schema, const Json& rule, const std::string& path) const {
    for (const auto& [key, member] : value.items()) {
      if (schema.contains("properties") && schema["properties"].contains(key)) continue;
      if (std::string found = Check(member, rule, path + "." + key); !found.empty()) return found;
    }
    return "";
  }

  std::string CheckNames(const Json& value, const Json& rule, const std::string& path) const {
    for (const auto& [key, unused] : value.items()) {
      if (std::string found = Check(Json(key), rule, path + " key"); !found.empty()) return found;
    }
    return "";
  }

  std::string CheckItems(const Json& value, const Json& rule, const std::string& path) const {
    for (size_t i = 0; i < value.size() && value.is_array(); ++i) {
      if (std::string found = Check(value[i], rule, fmt::format("{}[{}]", path, i)); !found.empty()) return found;
    }
    return "";
  }

  std::string CheckOneOf(const Json& value, const Json& rules, const std::string& path) const {
    int matches = 0;
    std::string last;
    for (const Json& rule : rules) {
      const std::string found = Check(value, rule, path);
      matches += found.empty() ? 1 : 0;
      last = found.empty() ? last : found;
    }
    return matches == 1 ? "" : fmt::format("{}: matches {} of oneOf, last: {}", path, matches, last);
  }

  const Json& Resolve(const std::string& reference) const {
    constexpr std::string_view kPrefix = "#/$defs/";
    return root_.at("$defs").at(reference.substr(kPrefix.size()));
  }

  const Json& root_;
};

}  // namespace

std::string SchemaViolation(std::string_view json, std::string_view schema) {
  const Json root = Json::parse(schema);
  return Validator(root).Check(Json::parse(json), root, "$");
}

}  // namespace bitplan::testing
