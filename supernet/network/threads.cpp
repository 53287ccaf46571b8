#include "supernet/network/threads.h"

#include <ATen/Parallel.h>

#include "arch/base/parallel.h"
#include "supernet/data/image_decoder.h"

namespace patchnas {

int set_threads(int threads, int processes) {
  const int count = threads_of_process(threads, processes);
  set_thread_count(count);
  at::set_num_threads(1);
  decode_in_calling_thread();
  return count;
}

}  // namespace patchnas
