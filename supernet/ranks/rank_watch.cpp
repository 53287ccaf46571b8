#include "supernet/ranks/rank_watch.h"

#include <algorithm>
#include <array>
#include <cerrno>  // program_invocation_short_name
#include <cstdio>
#include <cstring>
#include <unistd.h>
#include <utility>
#include <vector>

#include <torch/torch.h>

#include "supernet/ranks/process_group.h"

namespace patchnas {
namespace {

constexpr int kTag = 0;
/// Once a rank is lost: how long the main thread may go on without a collective call, and how long
/// it may take to end when it knows.
constexpr std::chrono::seconds kUnnoticed{5};
constexpr std::chrono::seconds kToEnd{60};
constexpr std::chrono::milliseconds kBetweenSignsOfLife{2000};
/// For a message of a few hundred bytes that the rank before is waiting for.
constexpr std::chrono::seconds kDelivery{2};
/// The wait for a message: Gloo answers the end of its own time limits by closing all connections.
constexpr std::chrono::hours kForever{24 * 365};
/// Messages whose memory is kept, in case that they are not taken at once.
constexpr std::size_t kSentKept = 64;

Trouble loss_of(int rank, std::string message) {
  return {rank, LostRankError("").exit_code(), std::move(message), true};
}

}  // namespace

/// What goes over the wire: ranks of one job run the same program.
struct RankWatch::Note {
  Kind kind = Kind::kAlive;
  std::int32_t origin = 0;
  std::int32_t exit_code = 0;
  std::int32_t is_loss = 0;
  std::array<char, 500> text{};

  static Note of(const Trouble& trouble) {
    Note note{.kind = Kind::kTrouble,
              .origin = trouble.origin,
              .exit_code = trouble.exit_code,
              .is_loss = trouble.is_loss ? 1 : 0};
    std::copy_n(trouble.message.begin(), std::min(trouble.message.size(), note.text.size() - 1),
                note.text.begin());
    return note;
  }
  [[nodiscard]] Trouble trouble() const { return {origin, exit_code, text.data(), is_loss != 0}; }
};

RankWatch::RankWatch(c10::intrusive_ptr<c10d::ProcessGroupGloo> group,
                     std::chrono::milliseconds silence)
    : group_(std::move(group)),
      rank_(group_->getRank()),
      next_((rank_ + 1) % group_->getSize()),
      previous_((rank_ + group_->getSize() - 1) % group_->getSize()),
      silence_(silence),
      listener_([this] { listen(); }),
      speaker_([this] { speak(); }) {}

RankWatch::~RankWatch() {
  {
    Lock lock(mutex_);
    if (leaving_ && rank_ == 0) {
      // Rank 0 is the last to go: what it sent must not get lost with its connections.
      changed_.wait_for(lock, kDelivery, [&] { return !is_listening_; });
    }
    stopped_ = true;
    if (receiving_) {
      receiving_->abort();
    }
  }
  changed_.notify_all();
  speaker_.join();
  listener_.join();
}

void RankWatch::listen() {
  std::array<at::Tensor, 2> buffers;
  // Null if the connection is broken.
  const auto receive = [&](std::size_t i) -> Work {
    buffers[i] = at::empty({static_cast<std::int64_t>(sizeof(Note))}, at::kByte);
    std::vector<at::Tensor> tensors{buffers[i]};
    try {
      return group_->recv(tensors, next_, kTag);
    } catch (const std::exception&) {
      return {};
    }
  };
  Lock lock(mutex_);
  receiving_ = receive(0);
  for (std::size_t i = 0; !stopped_; i = 1 - i) {
    if (!was_received(receiving_, lock)) {
      if (!stopped_ && !leaving_) {
        pass_on(loss_of(next_, "rank " + std::to_string(next_) + " is lost"), lock);
      }
      break;
    }
    heard_ = Clock::now();
    Note note;
    std::memcpy(&note, buffers[i].data_ptr(), sizeof(Note));
    // Before what follows: a message can come while this rank waits for another to take one.
    receiving_ = receive(1 - i);
    if (!handle(note, lock)) {
      break;
    }
  }
  is_listening_ = false;
  changed_.notify_all();
}

// Unlocked meanwhile. False if it was aborted, or the connection broke.
bool RankWatch::was_received(const Work& receiving, Lock& lock) {
  const Work work = receiving;
  if (!work) {
    return false;
  }
  lock.unlock();
  bool received = false;
  try {
    received = work->wait(kForever);
  } catch (const std::exception&) {
    received = false;
  }
  lock.lock();
  return received;
}

// Whether to go on listening.
bool RankWatch::handle(const Note& note, Lock& lock) {
  switch (note.kind) {
    case Kind::kAlive:
      return true;
    case Kind::kTrouble:
      pass_on(note.trouble(), lock);
      return false;
    case Kind::kRank0IsDone:
      ++rank_0_done_;
      break;
    case Kind::kAllAreHere:
      if (rank_ == 0) {
        leaving_ = true;
        send({.kind = Kind::kLeave});
        changed_.notify_all();
        return true;
      }
      was_asked_ = true;
      if (is_here_) {
        send(note);
      }
      return true;
    case Kind::kLeave:
      leaving_ = true;
      break;
  }
  if (previous_ != 0) {
    const Work sent = send(note);
    if (sent && leaving_) {
      lock.unlock();
      try {
        sent->wait(kDelivery);
      } catch (const std::exception&) {
        // It is gone, and who watches it knows.
      }
      lock.lock();
    }
  }
  changed_.notify_all();
  return !leaving_;
}

void RankWatch::pass_on(const Trouble& trouble, Lock& lock) {
  if (std::exchange(is_passing_on_, true)) {
    return;
  }
  if (previous_ != trouble.origin) {
    lock.unlock();
    try {
      if (const Work sent = send(Note::of(trouble))) {
        sent->wait(kDelivery);
      }
    } catch (const std::exception&) {
      // It is gone, and who watches it knows.
    }
    lock.lock();
  }
  trouble_ = trouble;
  changed_.notify_all();
}

void RankWatch::speak() {
  Lock lock(mutex_);
  Clock::time_point spoke = Clock::now();
  while (!changed_.wait_for(lock, std::min(kBetweenSignsOfLife, silence_ / 4),
                            [&] { return stopped_ || leaving_ || trouble_; })) {
    send({});
    const Clock::time_point now = Clock::now();
    if (now - spoke > silence_ / 2) {
      heard_ = now;  // this process stood still itself
    }
    spoke = now;
    if (now - heard_ > silence_) {
      pass_on(loss_of(next_, "rank " + std::to_string(next_) + " does not answer"), lock);
    }
  }
  const auto is_over = [&] { return stopped_ || leaving_; };
  if (trouble_ && !(changed_.wait_for(lock, kUnnoticed, [&] { return noticed_ || is_over(); }) &&
                    changed_.wait_for(lock, kToEnd, is_over))) {
    // Whatever this rank computes, nobody can use it. Files are whole at every moment.
    std::fprintf(stderr, "%s: %s\n", program_invocation_short_name, trouble_->message.c_str());
    std::_Exit(trouble_->exit_code);
  }
}

// Null if the rank before is gone: who watches it knows.
RankWatch::Work RankWatch::send(const Note& note) {
  const at::Tensor bytes = at::empty({static_cast<std::int64_t>(sizeof(Note))}, at::kByte);
  std::memcpy(bytes.data_ptr(), &note, sizeof(Note));
  std::vector<at::Tensor> tensors{bytes};
  const std::lock_guard lock(send_mutex_);
  try {
    sent_.push_back(group_->send(tensors, previous_, kTag));
  } catch (const std::exception&) {
    return {};
  }
  if (sent_.size() > kSentKept) {
    sent_.pop_front();
  }
  return sent_.back();
}

void RankWatch::check() {
  const Lock lock(mutex_);
  if (trouble_) {
    throw_noticed();
  }
}

bool RankWatch::in_trouble() {
  const Lock lock(mutex_);
  return trouble_.has_value();
}

void RankWatch::throw_trouble(const std::string& reason, std::chrono::milliseconds patience) {
  {
    Lock lock(mutex_);
    changed_.wait_for(lock, patience, [&] { return trouble_.has_value(); });
  }
  raise(loss_of(rank_, "rank " + std::to_string(rank_) + ": " + reason));
  const Lock lock(mutex_);
  throw_noticed();
}

void RankWatch::raise(const Trouble& trouble) {
  Lock lock(mutex_);
  noticed_ = true;
  pass_on(trouble, lock);
  changed_.wait_for(lock, kDelivery, [&] { return trouble_.has_value(); });
}

void RankWatch::throw_noticed() {
  noticed_ = true;
  changed_.notify_all();
  const Trouble trouble = trouble_.value_or(loss_of(0, "a rank is lost"));
  if (trouble.is_loss) {
    throw LostRankError(trouble.message);
  }
  throw FailedRankError(trouble.message, trouble.exit_code);
}

void RankWatch::wait_until(Lock& lock, const std::function<bool()>& is_done) {
  changed_.wait(lock, [&] { return is_done() || trouble_; });
  if (!is_done()) {
    throw_noticed();
  }
}

void RankWatch::wait_for_rank_0() {
  Lock lock(mutex_);
  if (rank_ == 0) {
    send({.kind = Kind::kRank0IsDone});
  } else {
    ++rank_0_awaited_;
    wait_until(lock, [&] { return rank_0_done_ >= rank_0_awaited_; });
  }
}

void RankWatch::leave() {
  Lock lock(mutex_);
  is_here_ = true;
  if (rank_ == 0 || was_asked_) {
    send({.kind = Kind::kAllAreHere});
  }
  wait_until(lock, [&] { return leaving_; });
}

}  // namespace patchnas
