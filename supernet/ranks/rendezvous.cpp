#include "supernet/ranks/rendezvous.h"

#include <fstream>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include <torch/csrc/distributed/c10d/FileStore.hpp>

#include "supernet/ranks/process_group.h"

namespace patchnas {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPoll{20};
/// How long the others get to read why the job does not start.
constexpr std::chrono::milliseconds kGrace{1000};

std::string random_name() {
  std::random_device device;
  const std::uint64_t number = (static_cast<std::uint64_t>(device()) << 32U) | device();
  return std::to_string(number);
}

// Not a character of a place's id.
constexpr char kSeparator = '~';

std::string key(const char* what, int rank) {
  return std::string(what) + "/" + std::to_string(rank);
}

void set(c10d::Store& store, const std::string& key, const std::string& value) {
  store.set(key, std::vector<std::uint8_t>(value.begin(), value.end()));
}

std::optional<std::string> find(c10d::Store& store, const std::string& key) {
  if (!store.check({key})) {
    return std::nullopt;
  }
  const std::vector<std::uint8_t> value = store.get(key);
  return std::string(value.begin(), value.end());
}

// The first line of what LibTorch says.
std::string first_line(const std::exception& error) {
  const std::string what = error.what();
  return what.substr(0, what.find('\n'));
}

[[noreturn]] void throw_unwritable(const fs::path& folder, const std::string& why) {
  throw InputError(folder.string() + ": ranks that meet here cannot write: " + why);
}

std::string seconds_text(std::chrono::milliseconds time) {
  return std::to_string(time.count() / 1000) + " s";
}

// So that nobody reads half a name.
void write_at_once(const fs::path& file, const std::string& text) {
  fs::path temporary = file;
  temporary += kSeparator + std::string("name");
  {
    std::ofstream out(temporary, std::ios::binary);
    out << text;
    out.close();
    if (!out) {
      throw_unwritable(file.parent_path(), "no file can be made");
    }
  }
  fs::rename(temporary, file);
}

std::string read_name(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text;
  std::getline(in, text);
  return text;
}

void remove_earlier_attempts(const fs::path& name_file) {
  const std::string start = name_file.filename().string() + kSeparator;
  for (const fs::directory_entry& entry : fs::directory_iterator(name_file.parent_path())) {
    if (entry.path().filename().string().starts_with(start)) {
      std::error_code ignored;
      fs::remove(entry.path(), ignored);
    }
  }
}

}  // namespace

fs::path Rendezvous::file(const RankPlace& place, const fs::path& folder,
                          std::string_view purpose) {
  return folder / (".ranks-" + place.id + kSeparator + std::string(purpose));
}

Rendezvous::Rendezvous(const RankPlace& place, const fs::path& folder,
                       std::chrono::milliseconds timeout)
    : place_(place), name_file_(folder / (".ranks-" + place.id)) {
  try {
    fs::create_directories(folder);
    if (place_.rank == 0) {
      call_the_roll(timeout);
    } else {
      answer_the_roll(timeout);
    }
  } catch (const Error&) {
    end();
    throw;
  } catch (const std::exception& error) {
    end();
    throw_unwritable(folder, first_line(error));
  }
  store_->setTimeout(timeout);
}

Rendezvous::~Rendezvous() { end(); }

void Rendezvous::end() {
  if (!store_file_.empty()) {
    std::error_code ignored;
    fs::remove(store_file_, ignored);
    fs::remove(name_file_, ignored);
    store_file_.clear();
  }
}

void Rendezvous::call_the_roll(std::chrono::milliseconds timeout) {
  remove_earlier_attempts(name_file_);
  store_file_ = name_file_;
  store_file_ += kSeparator + random_name();
  store_ = c10::make_intrusive<c10d::FileStore>(store_file_.string(), place_.count);
  set(*store_, key("here", 0), "");
  write_at_once(name_file_, store_file_.filename().string());

  std::vector<int> missing;
  for (int rank = 1; rank < place_.count; ++rank) {
    missing.push_back(rank);
  }
  const Clock::time_point deadline = Clock::now() + timeout;
  while (!missing.empty() && Clock::now() < deadline) {
    std::erase_if(missing, [&](int rank) {
      const std::optional<std::string> number = find(*store_, key("here", rank));
      if (number) {
        set(*store_, key("seen", rank), *number);
      }
      return number.has_value();
    });
    std::this_thread::sleep_for(kPoll);
  }
  std::string verdict;
  if (!missing.empty()) {
    verdict = missing.size() == 1 ? "rank" : "ranks";
    for (const int rank : missing) {
      verdict += " " + std::to_string(rank);
    }
    verdict += " did not start within " + seconds_text(timeout);
  }
  set(*store_, "verdict", verdict);
  if (!verdict.empty()) {
    std::this_thread::sleep_for(kGrace);
    throw LostRankError(verdict);
  }
}

void Rendezvous::answer_the_roll(std::chrono::milliseconds timeout) {
  const std::string number = random_name();
  std::string name;
  bool seen = false;
  Clock::time_point deadline = Clock::now() + timeout;
  for (; Clock::now() < deadline; std::this_thread::sleep_for(kPoll)) {
    try {
      const std::string newest = read_name(name_file_);
      if (!seen && !newest.empty() && newest != name &&
          fs::exists(name_file_.parent_path() / newest)) {
        store_ = c10::make_intrusive<c10d::FileStore>((name_file_.parent_path() / newest).string(),
                                                      place_.count);
        store_->setTimeout(kGrace);
        set(*store_, key("here", place_.rank), number);
        name = newest;
      }
      if (name.empty()) {
        continue;
      }
      if (!seen && find(*store_, key("seen", place_.rank)) == number) {
        seen = true;
        deadline = Clock::now() + timeout + kGrace;
      }
      if (const auto verdict = seen ? find(*store_, "verdict") : std::nullopt) {
        if (!verdict->empty()) {
          throw LostRankError(*verdict);
        }
        return;
      }
    } catch (const Error&) {
      throw;
    } catch (const std::exception&) {
      name.clear();  // an earlier attempt's, that rank 0 has just removed
    }
  }
  throw LostRankError(seen ? "rank 0 is lost"
                           : "rank 0 did not start within " + seconds_text(timeout));
}

}  // namespace patchnas
