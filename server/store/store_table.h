#ifndef BITPLAN_SERVER_STORE_STORE_TABLE_H_
#define BITPLAN_SERVER_STORE_STORE_TABLE_H_

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "server/store/store.h"

namespace bitplan::store {

struct StoreOptions {
  std::filesystem::path path;  // file of the store; its folder must exist
};

struct StoreEntry {
  std::string_view name;
  absl::StatusOr<std::unique_ptr<Store>> (*open)(const StoreOptions& options);
};

// The only list of stores; the conformance suite runs over every row.
std::span<const StoreEntry> Stores();

// Opens the store of kind `name`, creating or migrating its file.
// Errors: kNotFound: no such kind (lists the known ones); kFailedPrecondition: another server has it open, or it was
//         written by a newer version; kDataLoss: not a store or damaged.
absl::StatusOr<std::unique_ptr<Store>> OpenStore(std::string_view name, const StoreOptions& options);

}  // namespace bitplan::store

#endif  // BITPLAN_SERVER_STORE_STORE_TABLE_H_
