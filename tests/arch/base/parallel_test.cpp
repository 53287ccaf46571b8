#include "arch/base/parallel.h"

#include <atomic>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "arch/base/error.h"

namespace patchnas {
namespace {

using testing::Each;

class Parallel : public testing::TestWithParam<int> {
 protected:
  void SetUp() override { set_thread_count(GetParam()); }
  void TearDown() override { set_thread_count(threads_before_); }

 private:
  int threads_before_ = thread_count();
};

std::vector<int> values(const std::vector<std::atomic<int>>& counters) {
  return {counters.begin(), counters.end()};
}

/// What a failing work says: the indices that failed, as the caller sees them.
template <typename Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST_P(Parallel, RangesSplitTheCountAmongAllThreads) {
  for (const int count : {0, 1, 2, 7, 100}) {
    std::vector<std::pair<int, int>> ranges(static_cast<std::size_t>(thread_count()), {-1, -1});
    parallel_ranges(count, [&](int thread, int begin, int end) {
      ranges[static_cast<std::size_t>(thread)] = {begin, end};
    });
    int next = 0;
    for (const auto& [begin, end] : ranges) {
      EXPECT_EQ(begin, next);
      next = end;
    }
    EXPECT_EQ(next, count);
  }
}

TEST_P(Parallel, EachIndexIsWorkedOnOnce) {
  for (const int count : {0, 1, 2, 7, 1000}) {
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
    parallel_each(count, [&](int thread, int index) {
      EXPECT_GE(thread, 0);
      EXPECT_LT(thread, thread_count());
      ++calls[static_cast<std::size_t>(index)];
    });
    EXPECT_THAT(values(calls), Each(1));
  }
}

TEST_P(Parallel, WorkRunsInAsManyThreadsAsWereSet) {
  // Nobody goes on before all are there.
  std::atomic<int> arrived{0};
  std::vector<std::thread::id> ids(static_cast<std::size_t>(thread_count()));
  parallel_each(thread_count(), [&](int, int index) {
    ids[static_cast<std::size_t>(index)] = std::this_thread::get_id();
    ++arrived;
    while (arrived < thread_count()) {
      std::this_thread::yield();
    }
  });
  EXPECT_EQ(std::set<std::thread::id>(ids.begin(), ids.end()).size(), ids.size());
}

TEST_P(Parallel, TheFirstRangeThatFailsIsWhatTheCallerSees) {
  const int last = thread_count() - 1;
  EXPECT_EQ(message_of([&] {
              parallel_ranges(100, [&](int thread, int, int) {
                if (thread >= last - 1) {
                  throw std::runtime_error(std::to_string(thread));
                }
              });
            }),
            std::to_string(std::max(0, last - 1)));
  std::atomic<int> calls{0};
  parallel_ranges(100, [&](int, int, int) { ++calls; });
  EXPECT_EQ(calls, thread_count()) << "a failure has left the threads unusable";
}

TEST_P(Parallel, TheFirstIndexThatFailsIsWhatTheCallerSees) {
  for (int round = 0; round < 200; ++round) {
    std::atomic<int> calls{0};
    EXPECT_EQ(message_of([&] {
                parallel_each(1000, [&](int, int index) {
                  ++calls;
                  if (index % 7 == 3) {
                    throw std::runtime_error(std::to_string(index));
                  }
                });
              }),
              "3");
    EXPECT_GE(calls, 4);
  }
}

TEST_P(Parallel, WorkMayShareOutWorkItself) {
  std::vector<std::atomic<int>> sums(20);
  parallel_each(20, [&](int, int outer) {
    parallel_ranges(100, [&](int, int begin, int end) {
      sums[static_cast<std::size_t>(outer)] += end - begin;
    });
  });
  EXPECT_THAT(values(sums), Each(100));
  EXPECT_EQ(message_of([] {
              parallel_each(3, [](int, int) {
                parallel_each(3, [](int, int) { throw std::runtime_error("inner"); });
              });
            }),
            "inner");
}

TEST_P(Parallel, SeveralCallersAtATimeAllGetTheirResults) {
  std::vector<int> sums(4);
  std::vector<std::thread> callers;
  for (int& sum : sums) {
    callers.emplace_back([&sum] {
      for (int round = 0; round < 500; ++round) {
        std::atomic<int> calls{0};
        parallel_each(10, [&](int, int) { ++calls; });
        sum += calls;
      }
    });
  }
  for (std::thread& caller : callers) {
    caller.join();
  }
  EXPECT_THAT(sums, Each(5000));
}

INSTANTIATE_TEST_SUITE_P(Threads, Parallel, testing::Values(1, 2, 5));

TEST(ThreadsOfProcess, AreTheOnesThatWereAskedForOrItsShareOfTheCores) {
  EXPECT_THROW(threads_of_process(-1), InputError);
  EXPECT_EQ(threads_of_process(3), 3);
  EXPECT_EQ(threads_of_process(3, 8), 3);
  EXPECT_GE(threads_of_process(0), 1);
  EXPECT_GE(threads_of_process(0, 1000), 1);
  EXPECT_LE(threads_of_process(0, 2), threads_of_process(0));
}

}  // namespace
}  // namespace patchnas
