#pragma once

// Work shared out among a fixed number of threads, so that sums always have the same order.

#include <omp.h>

namespace patchnas::fused {

inline int thread_count() { return omp_get_max_threads(); }

/// Calls work(thread, begin, end) once in every thread; the ranges split [0, count) evenly. It must
/// not throw.
template <typename Work>
void parallel_ranges(int count, const Work& work) {
  const int threads = thread_count();
#pragma omp parallel num_threads(threads)
  {
    const long thread = omp_get_thread_num();
    work(static_cast<int>(thread), static_cast<int>(count * thread / threads),
         static_cast<int>(count * (thread + 1) / threads));
  }
}

}  // namespace patchnas::fused
