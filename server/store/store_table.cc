#include "server/store/store_table.h"

#include <array>

#include "search/base/status.h"
#include "server/store/sqlite/sqlite_store.h"

namespace bitplan::store {
namespace {

constexpr auto kStores = std::to_array<StoreEntry>({
    {.name = "sqlite", .open = &OpenSqliteStore},
});

std::string KnownNames() {
  std::string names;
  for (const StoreEntry& entry : kStores) names += fmt::format("{}'{}'", names.empty() ? "" : ", ", entry.name);
  return names;
}

}  // namespace

std::span<const StoreEntry> Stores() { return kStores; }

absl::StatusOr<std::unique_ptr<Store>> OpenStore(std::string_view name, const StoreOptions& options) {
  for (const StoreEntry& entry : kStores) {
    if (entry.name == name) return entry.open(options);
  }
  return NotFound("store: got '{}', known are {}", name, KnownNames());
}

}  // namespace bitplan::store
