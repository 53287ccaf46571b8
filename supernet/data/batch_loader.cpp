#include "supernet/data/batch_loader.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace patchnas {
namespace {

/// How many images a thread takes at a time: enough that tiny images cost no locking, few enough
/// that threads finish a batch together.
constexpr std::size_t kImagesAtATime = 8;

struct Job {
  explicit Job(BatchRequest r) : request(std::move(r)) {}
  BatchRequest request;
  Batch batch;
  std::size_t begun = 0;  ///< images that some thread has taken on
  std::size_t done = 0;
  std::exception_ptr error;

  [[nodiscard]] std::size_t size() const { return request.indices.size(); }
};

/// Images [begin, end) of a batch.
struct Piece {
  std::shared_ptr<Job> job;
  std::size_t begin = 0;
  std::size_t end = 0;
};

}  // namespace

class BatchLoader::Impl {
 public:
  Impl(const ImageStore& images, Augmenter augmenter, std::uint64_t seed, int workers)
      : images_(images), augmenter_(std::move(augmenter)), seed_(seed) {
    for (int i = 0; i < workers; ++i) {
      workers_.emplace_back([this] { work(); });
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    {
      const std::lock_guard lock(mutex_);
      stopped_ = true;
      jobs_.clear();
    }
    has_work_.notify_all();
    for (std::thread& worker : workers_) {
      worker.join();
    }
  }

  void request(BatchRequest request) {
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::make_shared<Job>(std::move(request)));
    }
    has_work_.notify_all();
  }

  Batch take() {
    const auto start = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    const std::shared_ptr<Job> job = jobs_.front();
    while (const std::optional<Piece> piece = next_piece(1)) {
      process(*piece, lock);
    }
    is_done_.wait(lock, [&] { return job->done == job->size(); });
    jobs_.pop_front();
    lock.unlock();
    has_work_.notify_all();  // another batch may be begun
    seconds_in_take_ +=
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (job->error) {
      std::rethrow_exception(job->error);
    }
    return std::move(job->batch);
  }

  void clear() {
    const std::lock_guard lock(mutex_);
    jobs_.clear();  // a job in work lives on until its pieces are done
  }

  [[nodiscard]] double seconds_in_take() const { return seconds_in_take_; }

 private:
  void work() {
    std::unique_lock lock(mutex_);
    while (!stopped_) {
      if (const std::optional<Piece> piece = next_piece(kBatchesAhead)) {
        process(*piece, lock);
      } else {
        has_work_.wait(lock);
      }
    }
  }

  // Of the oldest `jobs` batches.
  std::optional<Piece> next_piece(int jobs) {
    for (std::size_t i = 0; i < std::min(jobs_.size(), static_cast<std::size_t>(jobs)); ++i) {
      Job& job = *jobs_[i];
      if (job.begun < job.size()) {
        const std::size_t begin = job.begun;
        job.begun = std::min(job.size(), begin + kImagesAtATime);
        return Piece{jobs_[i], begin, job.begun};
      }
    }
    return std::nullopt;
  }

  // Unlocked meanwhile.
  void process(const Piece& piece, std::unique_lock<std::mutex>& lock) {
    Job& job = *piece.job;
    const auto side = static_cast<std::size_t>(job.request.resolution);
    const std::size_t image_size = side * side * static_cast<std::size_t>(images_.channels());
    if (job.batch.labels.empty()) {
      job.batch.labels.resize(job.size());
      job.batch.images.resize(job.size() * image_size);
    }
    lock.unlock();
    std::exception_ptr error;
    try {
      for (std::size_t i = piece.begin; i < piece.end; ++i) {
        job.batch.labels[i] = write(job.request, i, job.batch.images.data() + i * image_size);
      }
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    if (error && !job.error) {
      job.error = error;
    }
    job.done += piece.end - piece.begin;
    if (job.done == job.size()) {
      is_done_.notify_all();
    }
  }

  // In the place of a corrupt image stands the next one that is not, whichever thread asks first.
  std::int32_t write(const BatchRequest& request, std::size_t i, float* target) const {
    const int first = request.indices[i];
    for (int index = first;;) {
      RandomStream stream(seed_, request.stream + "/" +
                                     std::to_string(request.first + static_cast<std::int64_t>(i)));
      try {
        return augmenter_.write(images_, index, request.resolution, stream, target);
      } catch (const CorruptImageError&) {
        index = (index + 1) % images_.size();
        if (index == first) {
          throw;
        }
      }
    }
  }

  const ImageStore& images_;
  Augmenter augmenter_;
  std::uint64_t seed_;
  double seconds_in_take_ = 0.0;
  std::mutex mutex_;
  std::condition_variable has_work_;
  std::condition_variable is_done_;
  std::deque<std::shared_ptr<Job>> jobs_;  ///< requested and not taken, the oldest first
  bool stopped_ = false;
  std::vector<std::thread> workers_;  ///< the last member: they use all others
};

BatchLoader::BatchLoader(const ImageStore& images, Augmenter augmenter, std::uint64_t seed,
                         int workers)
    : impl_(std::make_unique<Impl>(images, std::move(augmenter), seed, workers)) {}
BatchLoader::~BatchLoader() = default;

void BatchLoader::request(BatchRequest request) { impl_->request(std::move(request)); }
Batch BatchLoader::take() { return impl_->take(); }
void BatchLoader::clear() { impl_->clear(); }
double BatchLoader::seconds_in_take() const { return impl_->seconds_in_take(); }

}  // namespace patchnas
