#pragma once

// SIGTERM, SIGINT, SIGUSR1 and SIGHUP (its terminal was closed) ask for a checkpoint and a stop.
//
//   install_stop_signals();
//   while (...) {
//     work();
//     if (stop_requested()) { save(); throw_interrupted(); }
//   }

namespace patchnas {

/// The second SIGINT ends the process at once: a person who insists is obeyed.
void install_stop_signals();
[[nodiscard]] bool stop_requested();
/// As SIGTERM does: another rank of the job has got a signal.
void request_stop();
/// @throws InterruptedError naming the signal.
[[noreturn]] void throw_interrupted();

}  // namespace patchnas
