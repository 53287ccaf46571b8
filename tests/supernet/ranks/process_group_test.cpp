#include "supernet/ranks/process_group.h"

#include <csignal>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/supernet/ranks/ranks.h"

namespace patchnas {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::End;
using test::place_of;
using test::RanksFolder;
using test::run_processes;
using test::run_ranks;
using testing::HasSubstr;

// --- Places ---

RankPlace place(const std::map<std::string, std::string>& environment) {
  return rank_from_environment([&](const char* name) {
    const auto found = environment.find(name);
    return found == environment.end() ? nullptr : found->second.c_str();
  });
}

std::string refusal(const std::map<std::string, std::string>& environment) {
  try {
    place(environment);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RankPlaceTest, ComesFromTorchrunOrSlurmOrIsOne) {
  EXPECT_EQ(place({}), RankPlace());
  EXPECT_EQ(place({{"SLURM_NTASKS", "4"}, {"SLURM_JOB_ID", "7"}}), RankPlace());
  EXPECT_EQ(place({{"RANK", "1"}, {"WORLD_SIZE", "3"}, {"MASTER_PORT", "29500"}}),
            (RankPlace{1, 3, 0, 3, true, "torchrun-none-29500-0"}));
  EXPECT_EQ(place({{"RANK", "5"},
                   {"WORLD_SIZE", "8"},
                   {"LOCAL_RANK", "1"},
                   {"LOCAL_WORLD_SIZE", "4"},
                   {"MASTER_ADDR", "node1"},
                   {"MASTER_PORT", "29500"},
                   {"TORCHELASTIC_RUN_ID", "a/b"},
                   {"TORCHELASTIC_RESTART_COUNT", "2"}}),
            (RankPlace{5, 8, 1, 4, false, "torchrun-a_b-29500-2"}));
  EXPECT_FALSE(place({{"RANK", "0"}, {"WORLD_SIZE", "2"}, {"MASTER_ADDR", "node1"}}).one_node);
  EXPECT_EQ(place({{"SLURM_STEP_NUM_TASKS", "4"},
                   {"SLURM_STEP_NUM_NODES", "2"},
                   {"SLURM_PROCID", "3"},
                   {"SLURM_LOCALID", "1"},
                   {"SLURM_JOB_ID", "77"},
                   {"SLURM_STEP_ID", "0"},
                   {"SLURM_RESTART_COUNT", "1"}}),
            (RankPlace{3, 4, 1, 2, false, "slurm-77.0.1"}));
}

TEST(RankPlaceTest, WhatIsWrongIsNamed) {
  EXPECT_EQ(refusal({{"RANK", "0"}}),
            "environment: WORLD_SIZE is missing; a job of several ranks needs it");
  EXPECT_EQ(refusal({{"RANK", "2"}, {"WORLD_SIZE", "2"}}),
            "environment: RANK is '2'; allowed: 0 to 1");
  EXPECT_EQ(refusal({{"SLURM_STEP_NUM_TASKS", "2x"}}),
            "environment: SLURM_STEP_NUM_TASKS is '2x'; allowed: 1 to 65536");
}

// --- Calls ---

TEST(ProcessGroupTest, AloneEveryCallReturnsWhatItWasGiven) {
  const std::vector<End> ends = run_processes(1, [](int) -> std::string {
    ProcessGroup group;
    EXPECT_EQ(group.rank(), 0);
    EXPECT_EQ(group.size(), 1);
    const at::Tensor tensor = at::full({3}, 2.0);
    group.sum(tensor);
    group.start_sum(tensor)->wait();
    EXPECT_TRUE(at::equal(tensor, at::full({3}, 2.0)));
    int calls = 0;
    group.rank_0_first([&] { ++calls; });
    EXPECT_EQ(calls, 1);
    group.report_failure("nobody hears it", 2);
    return group.broadcast("mine");
  });
  EXPECT_EQ(ends[0], (End{0, "mine"}));
}

at::Tensor numbers(int rank, std::int64_t size) {
  return at::arange(size, at::kFloat).mul_(0.1 * (rank + 1)).sin_();
}

std::string bytes_of(const at::Tensor& tensor) {
  return {static_cast<const char*>(tensor.data_ptr()),
          static_cast<std::size_t>(tensor.numel()) * tensor.element_size()};
}

TEST(ProcessGroupTest, SumsAreRightAndTheSameBitsEverywhere) {
  for (const int count : {2, 3}) {
    const auto work = [&](ProcessGroup& group) {
      std::string bits;
      for (const std::int64_t size : {1, 7, 1000, 100003}) {
        const at::Tensor sum = numbers(group.rank(), size);
        group.sum(sum);
        at::Tensor expected = at::zeros({size});
        for (int rank = 0; rank < count; ++rank) {
          expected += numbers(rank, size);
        }
        EXPECT_LT((sum - expected).abs().max().item<float>(), 1e-5F);
        bits += bytes_of(sum);
      }
      const at::Tensor whole = at::full({2}, group.rank() + 1, at::kLong);
      group.sum(whole);
      EXPECT_EQ(whole[1].item<std::int64_t>(), count * (count + 1) / 2);
      return bits;
    };
    const std::vector<End> ends = run_ranks(count, work);
    const std::vector<End> again = run_ranks(count, work);
    for (const End& end : ends) {
      EXPECT_EQ(end.exit_code, 0) << end;
      EXPECT_TRUE(end.result == ends[0].result);
      EXPECT_TRUE(end.result == again[0].result);
    }
  }
}

TEST(ProcessGroupTest, SumsUnderWayDoNotMixAndMayBeAwaitedInAnyOrder) {
  const std::vector<End> ends = run_ranks(2, [](ProcessGroup& group) -> std::string {
    std::vector<at::Tensor> tensors;
    std::vector<std::unique_ptr<ProcessGroup::Pending>> pending;
    for (int i = 0; i < 20; ++i) {
      tensors.push_back(at::full({1 + 1000 * i}, static_cast<double>(i * (group.rank() + 1))));
      pending.push_back(group.start_sum(tensors.back()));
    }
    while (!pending.empty()) {
      pending.back()->wait();
      pending.pop_back();
    }
    for (int i = 0; i < 20; ++i) {
      EXPECT_TRUE(at::equal(tensors[i], at::full({1 + 1000 * i}, 3.0 * i)));
    }
    return "";
  });
  EXPECT_EQ(ends[0], (End{0, ""}));
  EXPECT_EQ(ends[1], (End{0, ""}));
}

TEST(ProcessGroupTest, BroadcastsAreRank0s) {
  const std::string big(3000001, 'x');
  const std::vector<End> ends = run_ranks(3, [&](ProcessGroup& group) {
    const bool first = group.rank() == 0;
    EXPECT_EQ(group.broadcast(first ? "" : "not mine"), "");
    EXPECT_TRUE(group.broadcast(first ? big : "") == big);
    return group.broadcast(std::string("from ") + std::to_string(group.rank()));
  });
  for (const End& end : ends) {
    EXPECT_EQ(end, (End{0, "from 0"}));
  }
}

TEST(ProcessGroupTest, Rank0GoesFirstHoweverLongItTakes) {
  const RanksFolder folder;
  const std::filesystem::path made = folder.path() / "made";
  const std::vector<End> ends = run_ranks(
      3,
      [&](ProcessGroup& group) {
        std::string found;
        for (int i = 0; i < 2; ++i) {
          group.rank_0_first([&] {
            if (group.rank() == 0) {
              std::this_thread::sleep_for(milliseconds(1500));
              std::ofstream(made) << i;
            } else {
              found += std::filesystem::exists(made) ? "found " : "nothing ";
            }
          });
          group.sum(at::zeros({1}));
          std::filesystem::remove(made);
          group.sum(at::zeros({1}));
        }
        return found;
      },
      seconds(1));
  EXPECT_EQ(ends[0], (End{0, ""}));
  EXPECT_EQ(ends[1], (End{0, "found found "}));
  EXPECT_EQ(ends[2], (End{0, "found found "}));
}

TEST(ProcessGroupTest, ARankThatIsDoneWaitsForTheOthers) {
  const std::vector<End> ends = run_ranks(
      3,
      [](ProcessGroup& group) {
        if (group.rank() == 1) {
          std::this_thread::sleep_for(milliseconds(2500));
        }
        return "done";
      },
      seconds(1));
  for (const End& end : ends) {
    EXPECT_EQ(end, (End{0, "done"}));
  }
}

TEST(ProcessGroupTest, ARankThatHasLeftIsAloneAndNobodyMissesItsOthers) {
  const std::vector<End> ends = run_ranks(
      3,
      [](ProcessGroup& group) -> std::string {
        const int rank = group.rank();
        group.leave();
        if (rank == 0) {  // goes on for longer than a silent rank is waited for
          std::this_thread::sleep_for(milliseconds(2500));
        }
        return group.broadcast("own of " + std::to_string(rank)) + ", of " +
               std::to_string(group.size());
      },
      seconds(1));
  for (int rank = 0; rank < 3; ++rank) {
    EXPECT_EQ(ends[static_cast<std::size_t>(rank)],
              (End{0, "own of " + std::to_string(rank) + ", of 1"}));
  }
}

// --- Starting ---

TEST(ProcessGroupTest, RanksThatDoNotComeAreNamed) {
  const RanksFolder folder;
  const std::vector<End> ends = run_processes(4, [&](int rank) -> std::string {
    if (rank == 1 || rank == 2) {
      return "";
    }
    const ProcessGroup group(place_of(rank, 4), folder.path(), milliseconds(1000));
    return "started";
  });
  EXPECT_EQ(ends[0], (End{75, "ranks 1 2 did not start within 1 s"}));
  EXPECT_EQ(ends[3], (End{75, "ranks 1 2 did not start within 1 s"}));
  EXPECT_TRUE(folder.is_empty());
}

TEST(ProcessGroupTest, ARank0ThatDoesNotComeIsNamed) {
  const RanksFolder folder;
  const std::vector<End> ends = run_processes(1, [&](int) -> std::string {
    const ProcessGroup group(place_of(1, 2), folder.path(), milliseconds(1000));
    return "started";
  });
  EXPECT_EQ(ends[0], (End{75, "rank 0 did not start within 1 s"}));
  EXPECT_TRUE(folder.is_empty());
}

TEST(ProcessGroupTest, WhatAKilledJobLeftMisleadsNobody) {
  const RanksFolder folder;
  // Rank 2 never comes, and the others are killed while they wait for it.
  run_processes(2, [&](int rank) -> std::string {
    std::thread([] {
      std::this_thread::sleep_for(milliseconds(500));
      std::raise(SIGKILL);
    }).detach();
    const ProcessGroup group(place_of(rank, 3), folder.path(), seconds(10));
    return "started";
  });
  EXPECT_FALSE(folder.is_empty());
  for (const int late : {0, 1}) {
    const std::vector<End> ends = run_processes(3, [&](int rank) -> std::string {
      std::this_thread::sleep_for(milliseconds(rank == late ? 500 : 0));
      ProcessGroup group(place_of(rank, 3), folder.path(), seconds(10));
      return group.broadcast(std::to_string(rank));
    });
    for (const End& end : ends) {
      EXPECT_EQ(end, (End{0, "0"}));
    }
    EXPECT_TRUE(folder.is_empty());
  }
}

TEST(ProcessGroupTest, AFolderThatCannotBeWrittenIsNamed) {
  const RanksFolder folder;
  const std::filesystem::path file = folder.path() / "file";
  std::ofstream(file) << "no folder";
  const std::vector<End> ends = run_processes(1, [&](int rank) -> std::string {
    const ProcessGroup group(place_of(rank, 2), file / "runs", milliseconds(500));
    return "started";
  });
  EXPECT_EQ(ends[0].exit_code, 2);
  EXPECT_THAT(ends[0].result, HasSubstr(file.string() + "/runs: ranks that meet here cannot"));
}

TEST(ProcessGroupTest, AnUnknownInterfaceIsNamed) {
  const std::vector<End> ends = run_processes(1, [](int rank) -> std::string {
    setenv("GLOO_SOCKET_IFNAME", "nonet0", 1);
    const ProcessGroup group(place_of(rank, 2), "/tmp", milliseconds(500));
    return "started";
  });
  EXPECT_EQ(ends[0], (End{2,
                          "environment: GLOO_SOCKET_IFNAME is 'nonet0', which is no network "
                          "interface with an address on this host"}));
}

constexpr const char* kConnected = "01";
constexpr const char* kListening = "0A";

// Local addresses of this process's sockets in a state, both as /proc writes them.
std::set<std::string> addresses_of_sockets(const std::string& state) {
  std::set<std::string> own;  // inodes
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code ignored;
    const std::string link = std::filesystem::read_symlink(entry.path(), ignored).string();
    if (link.starts_with("socket:[")) {
      own.insert(link.substr(8, link.size() - 9));
    }
  }
  std::set<std::string> addresses;
  for (const char* table : {"/proc/self/net/tcp", "/proc/self/net/tcp6"}) {
    std::ifstream in(table);
    for (std::string line; std::getline(in, line);) {
      std::istringstream fields(line);
      std::vector<std::string> field(10);
      for (std::string& text : field) {
        fields >> text;
      }
      if (field[3] == state && own.contains(field[9])) {
        addresses.insert(field[1].substr(0, field[1].find(':')));
      }
    }
  }
  return addresses;
}

TEST(ProcessGroupTest, OnOneNodeAllIsOnLoopbackAndNobodyListensOnceAllAreConnected) {
  for (const End& end : run_ranks(2, [](ProcessGroup&) -> std::string {
         EXPECT_EQ(addresses_of_sockets(kConnected), (std::set<std::string>{"0100007F"}));
         EXPECT_EQ(addresses_of_sockets(kListening), std::set<std::string>());
         return "";
       })) {
    EXPECT_EQ(end, (End{0, ""}));
  }
}

TEST(ProcessGroupTest, OnSeveralNodesTheNamedInterfaceIsUsed) {
  const RanksFolder folder;
  const std::vector<End> ends = run_processes(2, [&](int rank) -> std::string {
    setenv("GLOO_SOCKET_IFNAME", "lo", 1);
    RankPlace place = place_of(rank, 2);
    place.one_node = false;
    ProcessGroup group(place, folder.path(), seconds(20));
    return group.broadcast(std::to_string(rank));
  });
  EXPECT_EQ(ends[0], (End{0, "0"}));
  EXPECT_EQ(ends[1], (End{0, "0"}));
}

// --- Losing ranks ---

// Of the ranks that are left. The time is that of a hang, not of a slow machine.
void expect_ends(const std::vector<End>& ends, int without, int exit_code,
                 const std::string& message) {
  for (std::size_t rank = 0; rank < ends.size(); ++rank) {
    if (static_cast<int>(rank) != without) {
      EXPECT_EQ(ends[rank].exit_code, exit_code) << rank << ": " << ends[rank];
      EXPECT_THAT(ends[rank].result + ends[rank].error_output, HasSubstr(message)) << rank;
    }
  }
}

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

constexpr double kGenerous = 30.0;  // seconds

TEST(ProcessGroupTest, ARankThatIsKilledIsNamedByThoseWhoWaitForIt) {
  for (const int count : {2, 3}) {
    for (int killed = 0; killed < count; ++killed) {
      const Stopwatch time;
      const std::vector<End> ends = run_ranks(
          count,
          [&](ProcessGroup& group) -> std::string {
            for (;;) {
              group.sum(at::zeros({100000}));
              if (group.rank() == killed) {
                std::raise(SIGKILL);
              }
            }
          },
          seconds(300));
      expect_ends(ends, killed, 75, "rank " + std::to_string(killed) + " is lost");
      EXPECT_EQ(ends[static_cast<std::size_t>(killed)].exit_code, -SIGKILL);
      EXPECT_LT(time.seconds(), kGenerous);
    }
  }
}

TEST(ProcessGroupTest, ARankThatIsKilledEndsThoseWhoCompute) {
  const Stopwatch time;
  const std::vector<End> ends = run_ranks(
      3,
      [](ProcessGroup& group) -> std::string {
        group.sum(at::zeros({1}));
        if (group.rank() == 1) {
          std::raise(SIGKILL);
        }
        std::this_thread::sleep_for(seconds(50));
        return "hung";
      },
      seconds(300));
  expect_ends(ends, 1, 75, "supernet_ranks_test: rank 1 is lost\n");
  EXPECT_LT(time.seconds(), kGenerous);
}

TEST(ProcessGroupTest, ARankThatIsKilledEndsThoseWhoWaitForRank0OrForTheEnd) {
  for (const bool at_the_end : {false, true}) {
    const Stopwatch time;
    const std::vector<End> ends = run_ranks(
        3,
        [&](ProcessGroup& group) -> std::string {
          if (group.rank() == 0) {
            std::raise(SIGKILL);
          }
          if (!at_the_end) {
            group.rank_0_first([] {});
          }
          return "done";
        },
        seconds(300));
    if (!at_the_end) {
      expect_ends(ends, 0, 75, "rank 0 is lost");
    }
    EXPECT_LT(time.seconds(), kGenerous);
  }
}

TEST(ProcessGroupTest, ARankThatIsStoppedIsNamed) {
  pid_t stopped = 0;
  const std::vector<End> ends = run_ranks(
      3,
      [&](ProcessGroup& group) -> std::string {
        const at::Tensor process = at::full({1}, group.rank() == 2 ? getpid() : 0, at::kLong);
        group.sum(process);
        stopped = static_cast<pid_t>(process.item<std::int64_t>());
        if (group.rank() == 2) {
          std::raise(SIGSTOP);
        }
        try {
          group.sum(at::zeros({1}));
        } catch (const LostRankError&) {
          if (group.rank() == 0) {
            kill(stopped, SIGKILL);
          }
          throw;
        }
        return "hung";
      },
      seconds(10));
  expect_ends(ends, 2, 75, "rank 2 does not answer");
}

TEST(ProcessGroupTest, ARankThatStaysAwayFromACallEndsTheJob) {
  const Stopwatch time;
  const std::vector<End> ends = run_ranks(
      2,
      [](ProcessGroup& group) -> std::string {
        if (group.rank() == 0) {
          group.sum(at::zeros({1}));
        }
        std::this_thread::sleep_for(seconds(50));
        return "hung";
      },
      seconds(1));
  expect_ends(ends, -1, 75, "rank 0: a rank did not take part in a call within 1 s");
  EXPECT_LT(time.seconds(), kGenerous);
}

TEST(ProcessGroupTest, AReportedFailureIsEverybodys) {
  for (const bool others_compute : {false, true}) {
    const std::vector<End> ends = run_ranks(
        3,
        [&](ProcessGroup& group) -> std::string {
          if (group.rank() == 1) {
            group.report_failure("data: no such file", 2);
            throw InputError("data: no such file");
          }
          if (others_compute) {
            std::this_thread::sleep_for(seconds(50));
          }
          group.sum(at::zeros({1}));
          return "hung";
        },
        seconds(300));
    EXPECT_EQ(ends[1], (End{2, "data: no such file"}));
    expect_ends(ends, 1, 2, "rank 1 failed: data: no such file");
  }
}

TEST(ProcessGroupTest, FailuresOfAllRanksAtATimeEndAll) {
  const std::vector<End> ends = run_ranks(
      3,
      [](ProcessGroup& group) -> std::string {
        group.report_failure("loss is not finite", 1);
        throw Error("loss is not finite");
      },
      seconds(300));
  for (const End& end : ends) {
    EXPECT_EQ(end, (End{1, "loss is not finite"}));
  }
}

}  // namespace
}  // namespace patchnas
