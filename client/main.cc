#include <string>
#include <vector>

#include "client/commands.h"
#include "client/console.h"
#include "client/interrupt.h"

int main(int argc, char** argv) {
  const bitplan::client::Interrupt interrupt;
  bitplan::client::Console console(bitplan::client::StandardStreams());
  return static_cast<int>(
      bitplan::client::RunCommandLine({argv + 1, argv + argc}, console, interrupt.token(), argv[0]));
}
