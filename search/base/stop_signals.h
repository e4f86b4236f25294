#ifndef BITPLAN_SEARCH_BASE_STOP_SIGNALS_H_
#define BITPLAN_SEARCH_BASE_STOP_SIGNALS_H_

#include <csignal>

namespace bitplan {

// Blocks SIGINT and SIGTERM in the calling thread and all threads it starts from now on, and returns the two for
// sigwait and its kin: the only way they then reach the process.
//
// Threads that exist already (libraries start some when they are loaded: OpenBLAS does) have them unblocked and would
// take them, which ends the process. So a handler passes such a signal on and blocks both for the thread that took it.
sigset_t BlockStopSignals();

}  // namespace bitplan

#endif  // BITPLAN_SEARCH_BASE_STOP_SIGNALS_H_
