#ifndef BITPLAN_TESTS_TESTING_JSON_SCHEMA_H_
#define BITPLAN_TESTS_TESTING_JSON_SCHEMA_H_

#include <string>
#include <string_view>

namespace bitplan::testing {

// Checks a JSON text against a JSON Schema (2020-12), as far as the schemas in docs/formats go: type, const, enum,
// pattern, properties, required, additionalProperties, propertyNames.pattern, items, minItems, minimum, maximum, oneOf,
// $ref to
// #/$defs. A keyword that is not known fails the check, so that nothing is taken for checked that is not.
// Returns the first violation with its path, or "".
std::string SchemaViolation(std::string_view json, std::string_view schema);

}  // namespace bitplan::testing

#endif  // BITPLAN_TESTS_TESTING_JSON_SCHEMA_H_
