#pragma once

// Work shared out among a fixed number of threads, so that sums always have the same order.
//
// A pool of our own rather than OpenMP's: GCC's runtime spins at every barrier, which on a machine
// that is also busy with something else costs many times what is computed in between.

namespace patchnas {

/// Threads that parallel_ranges uses; as many as there are cores until set_thread_count is called.
int thread_count();
/// Not while parallel_ranges runs. @param threads at least 1
void set_thread_count(int threads);

/// Calls task(context, thread) for every thread in [0, thread_count()), 0 in the caller, and waits.
/// One caller at a time in the process.
void run_in_threads(void (*task)(const void* context, int thread), const void* context);

/// Calls work(thread, begin, end) once in every thread; the ranges split [0, count) evenly. It must
/// not throw, and not call this itself.
template <typename Work>
void parallel_ranges(int count, const Work& work) {
  struct Context {
    const Work& work;
    long count;
    long threads;
  };
  const Context context{work, count, thread_count()};
  run_in_threads(
      [](const void* opaque, int thread) {
        const auto& c = *static_cast<const Context*>(opaque);
        c.work(thread, static_cast<int>(c.count * thread / c.threads),
               static_cast<int>(c.count * (thread + 1) / c.threads));
      },
      &context);
}

}  // namespace patchnas
