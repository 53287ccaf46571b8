#pragma once

// How many threads this process computes with. Results depend on it.
//
//   set_threads(config.threads, ranks_of_this_machine);

namespace patchnas {

/// Sets the threads of parallel.h to threads_of_process(threads, processes), in which all of our
/// own code computes, and keeps LibTorch and OpenCV to the thread that calls them: on the CPU they
/// do little here, or are called in all threads, and OpenMP's would spin on the cores while they
/// wait for more.
/// @return the number set
/// @throws InputError if it is negative.
int set_threads(int threads, int processes = 1);

}  // namespace patchnas
