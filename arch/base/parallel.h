#pragma once

// The threads of this process that compute, and work shared out among them. Nothing else of ours
// starts threads to compute in, and libraries are kept to the calling one.
//
//   set_thread_count(threads_of_process(config.threads));
//   parallel_ranges(images, [&](int thread, int begin, int end) { ... });  // sums in a fixed order
//   parallel_each(images, [&](int thread, int image) { ... });             // whoever is free first
//
// A pool of our own rather than OpenMP's: GCC's runtime spins at every barrier, which on a machine
// that is also busy with something else costs many times what is computed in between; and LibTorch
// sets the number of OpenMP's threads with its own.

#include <atomic>
#include <exception>
#include <functional>
#include <mutex>

namespace patchnas {

/// Called before each piece of long work, in the thread that does it: what it throws ends the work.
/// Empty for nothing.
using BeforeEach = std::function<void()>;

/// How many threads a process computes with: `threads`, or for 0 the cores that it may use, divided
/// by the processes that share them unless a launcher has given each its own.
/// @throws InputError if it is negative.
int threads_of_process(int threads, int processes = 1);

/// Threads that the functions below use: threads_of_process(0) until set_thread_count is called.
int thread_count();
/// Not while one of them runs. @param threads at least 1
void set_thread_count(int threads);

/// Calls task(context, thread) for every thread in [0, thread_count()), 0 in the caller, and waits.
/// While the threads are busy, with another caller's tasks or with the one that calls this, the
/// calls are made one after another in the caller: the same results, only later.
/// @throws what a task threw, of the first thread that did; all tasks have ended then.
void run_in_threads(void (*task)(const void* context, int thread), const void* context);

/// Calls work(thread, begin, end) once in every thread; the ranges split [0, count) evenly.
/// @throws what work threw, of the first range.
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

/// Calls work(thread, index) for every index in [0, count), each in the thread that is free first:
/// for work of uneven size whose results do not depend on the thread.
/// @throws what work threw, of the first index; others may not have been begun then.
template <typename Work>
void parallel_each(int count, const Work& work) {
  std::atomic<int> next{0};
  std::atomic<int> end{count};
  std::mutex mutex;  // of what follows
  std::exception_ptr first_error;
  int first_failed = count;
  parallel_ranges(count, [&](int thread, int, int) {
    for (int index = next++; index < end; index = next++) {
      try {
        work(thread, index);
      } catch (...) {
        end = 0;  // what was begun, among it all before this index, still ends
        const std::scoped_lock lock(mutex);
        if (index < first_failed) {
          first_failed = index;
          first_error = std::current_exception();
        }
      }
    }
  });
  if (first_error) {
    std::rethrow_exception(first_error);
  }
}

}  // namespace patchnas
