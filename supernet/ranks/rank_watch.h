#pragma once

// Who of a job's ranks is still there. Every rank watches the next one: when that one's connection
// breaks, or it is silent for too long, the rank tells the rank before it, and so round the ring.
// The failures that ranks report go the same way, and the signals by which they wait for each other
// for as long as it takes.

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

namespace patchnas {

/// Why the job ends.
struct Trouble {
  int origin = 0;  ///< the rank that is lost, or failed
  int exit_code = 0;
  std::string message;
  bool is_loss = false;  ///< nobody reported it: a rank is gone, or does not answer
};

class RankWatch {
 public:
  /// @param group for this alone
  /// @param silence after which a rank that is still connected counts as lost
  RankWatch(c10::intrusive_ptr<c10d::ProcessGroupGloo> group, std::chrono::milliseconds silence);
  RankWatch(const RankWatch&) = delete;
  RankWatch& operator=(const RankWatch&) = delete;
  ~RankWatch();

  /// @throws LostRankError, FailedRankError if there is trouble.
  void check();
  /// Gives the watch `patience` to find out why a call failed, and throws that; if it finds
  /// nothing, `reason`, which is then everybody's trouble.
  [[noreturn]] void throw_trouble(const std::string& reason, std::chrono::milliseconds patience);
  /// Tells all ranks; the first trouble counts. This rank knows what to do about it.
  void raise(const Trouble& trouble);
  [[nodiscard]] bool in_trouble();

  /// Returns on the others when rank 0 has called it as often as they have. @throws as check()
  void wait_for_rank_0();
  /// Returns when all ranks have called it: from then on none is missed. @throws as check()
  void leave();

 private:
  enum class Kind : unsigned char { kAlive, kTrouble, kRank0IsDone, kAllAreHere, kLeave };
  struct Note;
  using Clock = std::chrono::steady_clock;
  using Lock = std::unique_lock<std::mutex>;
  using Work = c10::intrusive_ptr<c10d::Work>;

  void listen();
  static bool was_received(const Work& receiving, Lock& lock);
  bool handle(const Note& note, Lock& lock);
  void pass_on(const Trouble& trouble, Lock& lock);
  void speak();
  Work send(const Note& note);
  void wait_until(Lock& lock, const std::function<bool()>& is_done);
  [[noreturn]] void throw_noticed();

  c10::intrusive_ptr<c10d::ProcessGroupGloo> group_;
  int rank_;
  int next_;
  int previous_;
  std::chrono::milliseconds silence_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<Trouble> trouble_;
  bool is_passing_on_ = false;
  bool noticed_ = false;  // by the main thread
  bool stopped_ = false;
  std::int64_t rank_0_done_ = 0;     // times that rank 0 has called wait_for_rank_0()
  std::int64_t rank_0_awaited_ = 0;  // and this one
  bool is_here_ = false;             // leave() was called
  bool was_asked_ = false;           // whether all are here
  bool leaving_ = false;             // they are
  bool is_listening_ = true;
  Clock::time_point heard_ = Clock::now();  // of the next rank
  Work receiving_;

  std::mutex send_mutex_;
  std::deque<Work> sent_;

  std::thread listener_;
  std::thread speaker_;
};

}  // namespace patchnas
