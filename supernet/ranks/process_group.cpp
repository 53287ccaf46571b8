#include "supernet/ranks/process_group.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <type_traits>
#include <unistd.h>
#include <utility>
#include <vector>

#include <netdb.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#ifdef USE_C10D_NCCL
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif
#include <torch/torch.h>

#include "supernet/ranks/rank_watch.h"
#include "supernet/ranks/rendezvous.h"

namespace patchnas {
namespace {

using Gloo = c10d::ProcessGroupGloo;
using Work = c10::intrusive_ptr<c10d::Work>;

/// Between looks at the watch while a call lasts.
constexpr std::chrono::milliseconds kLook{500};
/// For the watch to find out why a call failed.
constexpr std::chrono::milliseconds kFindOut{3000};
/// A rank that is silent for half the time limit of calls is lost, but not sooner than this, as on
/// a busy machine threads may wait that long for a processor, and not later than that.
constexpr std::chrono::milliseconds kShortestSilence{4000};
constexpr std::chrono::milliseconds kLongestSilence{60000};

constexpr const char* kInterfaceVariable = "GLOO_SOCKET_IFNAME";  // PyTorch's

// Where the name of this host leads.
std::string host_address() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  std::array<char, NI_MAXHOST> address{};
  const bool is_known = getaddrinfo(host.data(), nullptr, &hints, &found) == 0 &&
                        getnameinfo(found->ai_addr, found->ai_addrlen, address.data(),
                                    address.size(), nullptr, 0, NI_NUMERICHOST) == 0;
  if (found != nullptr) {
    freeaddrinfo(found);
  }
  const std::string text = address.data();
  if (!is_known || text.starts_with("127.") || text == "::1") {
    throw InputError(std::string("ranks on several nodes: the name of this host, ") + host.data() +
                     ", leads to " + (is_known ? text : std::string("no address")) +
                     ", where others cannot reach it; set " + kInterfaceVariable +
                     " to the network interface between the nodes");
  }
  return text;
}

std::shared_ptr<gloo::transport::Device> make_device(const RankPlace& place) {
  if (const char* interface = std::getenv(kInterfaceVariable)) {  // NOLINT: no other thread yet
    try {
      return Gloo::createDeviceForInterface(interface);
    } catch (const std::exception&) {
      throw InputError(std::string("environment: ") + kInterfaceVariable + " is '" + interface +
                       "', which is no network interface with an address on this host");
    }
  }
  return Gloo::createDeviceForHostname(place.one_node ? "127.0.0.1" : host_address());
}

#ifdef USE_C10D_NCCL
// Sums of tensors on CUDA.
class Nccl {
 public:
  // NCCL finds its network interface by a variable of its own; the same one as Gloo unless told.
  Nccl(const RankPlace& place, std::filesystem::path store_file, std::chrono::milliseconds timeout)
      : place_(place), store_file_(std::move(store_file)), timeout_(timeout) {
    const char* interface = std::getenv(kInterfaceVariable);  // NOLINT: no other thread yet
    if (interface != nullptr || place.one_node) {
      setenv("NCCL_SOCKET_IFNAME", interface != nullptr ? interface : "lo", 0);  // NOLINT
    }
  }

  Work start_sum(const at::Tensor& tensor) {
    if (!group_) {  // only now is the device known
      const auto options = c10d::ProcessGroupNCCL::Options::create();
      options->timeout = timeout_;
      group_ = c10::make_intrusive<c10d::ProcessGroupNCCL>(
          c10::make_intrusive<c10d::FileStore>(store_file_.string(), place_.count), place_.rank,
          place_.count, options);
    }
    std::vector<at::Tensor> tensors{tensor};
    return group_->allreduce(tensors);
  }

  void abandon() { group_.release(); }

 private:
  RankPlace place_;
  std::filesystem::path store_file_;
  std::chrono::milliseconds timeout_;
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> group_;
};
#endif

}  // namespace

class ProcessGroup::Impl {
 public:
  Impl(const RankPlace& place, const std::filesystem::path& folder,
       std::chrono::milliseconds timeout)
      : place_(place),
        timeout_(timeout)
#ifdef USE_C10D_NCCL
        ,
        nccl_(place, Rendezvous::file(place, folder, "nccl"), timeout)
#endif
  {
    // Gloo writes to its peers' sockets without MSG_NOSIGNAL: a lost rank has to be an error that
    // is reported, not the end of all others.
    std::signal(SIGPIPE, SIG_IGN);
    const auto options = Gloo::Options::create(timeout);
    options->threads = 1;  // one sum at a time, in order; more threads would take the computing's
    options->devices.push_back(make_device(place));
    Rendezvous rendezvous(place, folder, timeout);
    const auto connect = [&](const char* name) {
      return c10::make_intrusive<Gloo>(
          c10::make_intrusive<c10d::PrefixStore>(name, rendezvous.store()), place.rank, place.count,
          options);
    };
    try {
      group_ = connect("work");
      watch_ = std::make_unique<RankWatch>(
          connect("watch"), std::clamp(timeout / 2, kShortestSilence, kLongestSilence));
      group_->barrier()->wait();
    } catch (const std::exception& error) {
      throw LostRankError("rank " + std::to_string(place.rank) +
                          ": the ranks came but could not connect: " + error.what());
    }
    rendezvous.end();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  ~Impl() {
    if (std::uncaught_exceptions() == 0) {
      try {
        watch_->leave();
      } catch (const std::exception&) {
        // This rank is done; that another one is lost is no longer its business.
      }
    }
    if (watch_->in_trouble()) {
      // Their destructors would wait for calls that may never end.
      group_.release();
#ifdef USE_C10D_NCCL
      nccl_.abandon();
#endif
    }
  }

  [[nodiscard]] const RankPlace& place() const { return place_; }
  [[nodiscard]] RankWatch& watch() { return *watch_; }

  Work start_sum(const at::Tensor& tensor) {
    return start([&] {
#ifdef USE_C10D_NCCL
      if (tensor.is_cuda()) {
        return nccl_.start_sum(tensor);
      }
#endif
      std::vector<at::Tensor> tensors{tensor};
      return group_->allreduce(tensors);
    });
  }

  Work start_broadcast(const at::Tensor& tensor) {
    return start([&] {
      std::vector<at::Tensor> tensors{tensor};
      return group_->broadcast(tensors);
    });
  }

  // On CUDA it is the device that waits.
  void wait_for_sum(const Work& work, const at::Tensor& tensor) {
    if (tensor.is_cuda()) {
      guarded([&] { work->wait(); });
    } else {
      wait(work);
    }
  }

  void wait(const Work& work) {
    for (;;) {
      try {
        work->wait(kLook);
        return;
      } catch (const std::exception& error) {
        // The call's own failure, or no more than the end of this look at it.
        if (work->isCompleted()) {
          if (work->isSuccess()) {
            return;
          }
          guarded([&] { std::rethrow_exception(work->exception()); });
        }
      }
      watch_->check();
    }
  }

 private:
  template <typename Call>
  Work start(const Call& call) {
    watch_->check();
    return guarded(call);
  }

  template <typename Call>
  std::invoke_result_t<Call> guarded(const Call& call) {
    try {
      return call();
    } catch (const std::exception& error) {
      fail(error);
    }
  }

  [[noreturn]] void fail(const std::exception& error) {
    const std::string what = error.what();
    if (what.find("imed out") != std::string::npos) {
      watch_->throw_trouble("a rank did not take part in a call within " +
                                std::to_string(timeout_.count() / 1000) + " s",
                            kLook);
    }
    watch_->throw_trouble("a connection between ranks broke: " + what.substr(0, what.find('\n')),
                          kFindOut);
  }

  RankPlace place_;
  std::chrono::milliseconds timeout_;
  c10::intrusive_ptr<Gloo> group_;
  std::unique_ptr<RankWatch> watch_;
#ifdef USE_C10D_NCCL
  Nccl nccl_;
#endif
};

ProcessGroup::ProcessGroup() = default;
ProcessGroup::ProcessGroup(const RankPlace& place, const std::filesystem::path& rendezvous_folder,
                           std::chrono::milliseconds timeout)
    : impl_(place.count > 1 ? std::make_unique<Impl>(place, rendezvous_folder, timeout) : nullptr) {
}
ProcessGroup::ProcessGroup(ProcessGroup&&) noexcept = default;
ProcessGroup& ProcessGroup::operator=(ProcessGroup&&) noexcept = default;
ProcessGroup::~ProcessGroup() = default;
void ProcessGroup::leave() { impl_.reset(); }

int ProcessGroup::rank() const { return place().rank; }
int ProcessGroup::size() const { return place().count; }
const RankPlace& ProcessGroup::place() const {
  static const RankPlace alone;
  return impl_ ? impl_->place() : alone;
}

void ProcessGroup::sum(const at::Tensor& tensor) { start_sum(tensor)->wait(); }

std::unique_ptr<ProcessGroup::Pending> ProcessGroup::start_sum(const at::Tensor& tensor) {
  class Done : public Pending {
   public:
    void wait() override {}
  };
  class Sum : public Pending {
   public:
    Sum(Impl& impl, at::Tensor tensor)
        : impl_(impl), tensor_(std::move(tensor)), work_(impl.start_sum(tensor_)) {}
    void wait() override { impl_.wait_for_sum(work_, tensor_); }

   private:
    Impl& impl_;
    at::Tensor tensor_;
    Work work_;
  };
  if (!impl_) {
    return std::make_unique<Done>();
  }
  return std::make_unique<Sum>(*impl_, tensor);
}

std::string ProcessGroup::broadcast(std::string_view bytes) {
  if (!impl_) {
    return std::string(bytes);
  }
  const at::Tensor size = at::full({1}, static_cast<std::int64_t>(bytes.size()), at::kLong);
  impl_->wait(impl_->start_broadcast(size));
  std::string content(static_cast<std::size_t>(size.item<std::int64_t>()), '\0');
  if (rank() == 0) {
    content = bytes;
  }
  if (!content.empty()) {
    impl_->wait(impl_->start_broadcast(
        at::from_blob(content.data(), {static_cast<std::int64_t>(content.size())}, at::kByte)));
  }
  return content;
}

void ProcessGroup::rank_0_first(const std::function<void()>& work) {
  if (rank() == 0) {
    work();
  }
  if (impl_) {
    impl_->watch().wait_for_rank_0();
  }
  if (rank() != 0) {
    work();
  }
}

void ProcessGroup::report_failure(std::string_view message, int exit_code) {
  if (impl_) {
    impl_->watch().raise(
        {.origin = rank(),
         .exit_code = exit_code,
         .message = "rank " + std::to_string(rank()) + " failed: " + std::string(message),
         .is_loss = false});
  }
}

}  // namespace patchnas
