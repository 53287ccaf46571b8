#include "arch/base/parallel.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <thread>

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
    task(context, 0);
    for (Worker& worker : workers_) {
      for (unsigned done = worker.done; done != worker.started; done = worker.done) {
        wait_while(worker.done, done);
      }
    }
  }

 private:
  struct alignas(64) Worker {
    std::thread thread;
    int number = 0;
    void (*task)(const void*, int) = nullptr;  // null: end
    const void* context = nullptr;
    std::atomic<unsigned> started{0};
    std::atomic<unsigned> done{0};
  };

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
      worker.task(worker.context, worker.number);
      worker.done.store(seen + 1, std::memory_order_release);
      worker.done.notify_one();
    }
  }

  std::deque<Worker> workers_;  // a deque: workers do not move
};

struct State {
  int threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  bool started = false;
  Pool pool;
};

State& state() {
  static State instance;
  return instance;
}

}  // namespace

int thread_count() { return state().threads; }

void set_thread_count(int threads) {
  State& s = state();
  s.started = s.started && s.threads == threads;
  s.threads = threads;
}

void run_in_threads(void (*task)(const void* context, int thread), const void* context) {
  State& s = state();
  if (!s.started) {
    s.pool.resize(static_cast<std::size_t>(s.threads) - 1);
    s.started = true;
  }
  s.pool.run(task, context);
}

}  // namespace patchnas
