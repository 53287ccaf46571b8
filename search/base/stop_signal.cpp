#include "search/base/stop_signal.h"

#include <csignal>
#include <string>

#include "arch/base/error.h"

namespace patchnas {
namespace {

volatile std::sig_atomic_t received_signal = 0;
WhenStopped what_then = WhenStopped::kContinues;

void remember(int signal_number) { received_signal = signal_number; }

std::string name_of(int signal_number) {
  switch (signal_number) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGHUP:
      return "SIGHUP";
    default:
      return "a signal";
  }
}

}  // namespace

void install_stop_signals(WhenStopped when_stopped) {
  what_then = when_stopped;
  for (const int signal_number : {SIGTERM, SIGINT, SIGUSR1, SIGHUP}) {
    struct sigaction action {};
    sigaction(signal_number, nullptr, &action);
    if (signal_number == SIGHUP && action.sa_handler == SIG_IGN) {
      continue;  // started by nohup
    }
    action = {};
    action.sa_handler = remember;
    action.sa_flags = SA_RESTART | (signal_number == SIGINT ? static_cast<int>(SA_RESETHAND) : 0);
    sigemptyset(&action.sa_mask);
    sigaction(signal_number, &action, nullptr);
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file size limit is then an error of write(), like a full disk
}

bool stop_requested() { return received_signal != 0; }

void request_stop() {
  if (!stop_requested()) {
    received_signal = SIGTERM;
  }
}

void throw_interrupted() {
  throw InterruptedError("stopped by " + name_of(received_signal) +
                         (what_then == WhenStopped::kContinues
                              ? "; everything is saved, the same command continues"
                              : "; nothing was written, the same command begins anew"));
}

void throw_if_stopped() {
  if (stop_requested()) {
    throw_interrupted();
  }
}

}  // namespace patchnas
