#ifndef BITPLAN_SERVER_SERVER_H_
#define BITPLAN_SERVER_SERVER_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/config.h"

namespace bitplan::server {

// A running bitpland: store, artifacts, workers and the gRPC services, with health checking and reflection.
//
// Data:     <data_dir>/bitplan.db and <data_dir>/artifacts; one server at a time (kFailedPrecondition for the second).
// Restart:  jobs that an earlier server left are taken up: finished ones stay, queued ones wait, running ones run
// again. Memory:   messages are limited to 4 MiB and not compressed, and all of gRPC to max_memory_bytes.
class Server {
 public:
  // Returns when the server answers. Errors: kInvalidArgument (config), kFailedPrecondition (data folder in use),
  // kUnavailable (address taken), those of the stores.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Config& config);
  // Drain with no grace.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // The port it listens on, also if the configuration said 0.
  int port() const;
  // "127.0.0.1:8470", with the real port.
  std::string address() const;

  // Stops: health says NOT_SERVING and new work is refused (UNAVAILABLE); running jobs get up to `grace` to finish and
  // are put back to the queue after that, for the next start; then open calls are ended. Returns when nothing runs.
  void Drain(std::chrono::milliseconds grace);

 private:
  struct State;
  explicit Server(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace bitplan::server

#endif  // BITPLAN_SERVER_SERVER_H_
