#ifndef BITPLAN_CLIENT_LIST_OPTIONS_H_
#define BITPLAN_CLIENT_LIST_OPTIONS_H_

#include <cstdint>
#include <memory>

namespace CLI {
class App;
}  // namespace CLI

namespace bitplan::client {

// Adds --limit N; 50 unless given.
std::shared_ptr<int64_t> AddLimit(CLI::App& app);

}  // namespace bitplan::client

#endif  // BITPLAN_CLIENT_LIST_OPTIONS_H_
