#pragma once

// SIGTERM, SIGINT, SIGUSR1 and SIGHUP (its terminal was closed) ask for a checkpoint and a stop.
//
//   install_stop_signals(WhenStopped::kContinues);
//   while (...) {
//     work();
//     if (stop_requested()) { save(); throw_interrupted(); }
//   }

namespace patchnas {

/// What the same command does after a stop: it goes on from what is saved, or begins anew, because
/// it writes all or nothing at its end.
enum class WhenStopped { kContinues, kBeginsAnew };

/// The second SIGINT ends the process at once: a person who insists is obeyed.
void install_stop_signals(WhenStopped when_stopped);
[[nodiscard]] bool stop_requested();
/// As SIGTERM does: another rank of the job has got a signal.
void request_stop();
/// @throws InterruptedError naming the signal, and what became of the work.
[[noreturn]] void throw_interrupted();
/// The same where a stop is requested; else nothing.
void throw_if_stopped();

}  // namespace patchnas
