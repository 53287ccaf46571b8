#pragma once

// What every program of ours does around its commands: one line for an error, and an exit code that
// says whose fault it was.

namespace CLI {
class App;
}

namespace patchnas {

/// Parses the command line, in which no value may be empty, and runs what it asks for. It is done
/// when standard output has taken what was printed.
/// @return the exit code: 0 done, 2 bad input, 3 nothing fits, 75 stopped by a signal, 1 anything
/// else
int run_program(CLI::App& app, int argc, char** argv);

/// What run_program was given, with a null pointer at its end.
char* const* command_line();

/// "1.2.3 (abcdef0)"
const char* program_version();

}  // namespace patchnas
