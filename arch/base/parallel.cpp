#include "arch/base/parallel.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <exception>
#include <string>
#include <thread>

#include <sched.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

// Looks a little while before it sleeps: the next layer's work usually comes within microseconds.
template <typename T>
void wait_while(const std::atomic<T>& value, T old) {
  for (int i = 0; i < 2000; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
  }
  value.wait(old, std::memory_order_acquire);
}

class Pool {
 public:
  Pool() = default;
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool() { resize(0); }

  // To so many threads beside the caller.
  void resize(std::size_t size) {
    for (Worker& worker : workers_) {
      worker.task = nullptr;
      start(worker);
      worker.thread.join();
    }
    workers_.clear();
    for (std::size_t i = 0; i < size; ++i) {
      Worker& worker = workers_.emplace_back();
      worker.number = static_cast<int>(i) + 1;
      worker.thread = std::thread([&worker] { work(worker); });
    }
  }

  void run(void (*task)(const void*, int), const void* context) {
    for (Worker& worker : workers_) {
      worker.task = task;
      worker.context = context;
      start(worker);
    }
    std::exception_ptr error = error_of(task, context, 0);
    for (Worker& worker : workers_) {
      for (unsigned done = worker.done; done != worker.started; done = worker.done) {
        wait_while(worker.done, done);
      }
      error = error ? error : worker.error;
      worker.error = nullptr;
    }
    if (error) {
      std::rethrow_exception(error);
    }
  }

 private:
  struct alignas(64) Worker {
    std::thread thread;
    int number = 0;
    void (*task)(const void*, int) = nullptr;  // null: end
    const void* context = nullptr;
    std::exception_ptr error;
    std::atomic<unsigned> started{0};
    std::atomic<unsigned> done{0};
  };

  static std::exception_ptr error_of(void (*task)(const void*, int), const void* context,
                                     int thread) noexcept {
    try {
      task(context, thread);
    } catch (...) {
      return std::current_exception();
    }
    return nullptr;
  }

  static void start(Worker& worker) {
    worker.started.fetch_add(1, std::memory_order_release);
    worker.started.notify_one();
  }

  static void work(Worker& worker) {
    for (unsigned seen = 0;; ++seen) {
      wait_while(worker.started, seen);
      if (worker.task == nullptr) {
        return;
      }
      worker.error = error_of(worker.task, worker.context, worker.number);
      worker.done.store(seen + 1, std::memory_order_release);
      worker.done.notify_one();
    }
  }

  std::deque<Worker> workers_;  // a deque: workers do not move
};

struct State {
  int threads = threads_of_process(0);
  bool started = false;
  std::atomic<bool> busy{false};
  Pool pool;
};

State& state() {
  static State instance;
  return instance;
}

/// While it lives, its maker alone has the pool; false: another has.
class Turn {
 public:
  explicit Turn(std::atomic<bool>& busy) : busy_(busy), own_(!busy.exchange(true)) {}
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (own_) {
      busy_ = false;
    }
  }
  explicit operator bool() const { return own_; }

 private:
  std::atomic<bool>& busy_;
  bool own_;
};

}  // namespace

int threads_of_process(int threads, int processes) {
  if (threads < 0) {
    throw InputError("threads: " + std::to_string(threads) + " is not 0 (all cores) or more");
  }
  if (threads > 0) {
    return threads;
  }
  const int all = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0 && CPU_COUNT(&allowed) < all) {
    return CPU_COUNT(&allowed);
  }
  return std::max(1, all / processes);
}

int thread_count() { return state().threads; }

void set_thread_count(int threads) {
  State& s = state();
  s.started = s.started && s.threads == threads;
  s.threads = threads;
}

void run_in_threads(void (*task)(const void* context, int thread), const void* context) {
  State& s = state();
  const Turn turn(s.busy);
  if (!turn) {
    for (int thread = 0; thread < s.threads; ++thread) {
      task(context, thread);
    }
    return;
  }
  if (!s.started) {
    s.pool.resize(static_cast<std::size_t>(s.threads) - 1);
    s.started = true;
  }
  s.pool.run(task, context);
}

}  // namespace patchnas
