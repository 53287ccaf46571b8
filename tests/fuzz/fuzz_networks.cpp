// fuzz_networks [--seconds S] [--executions N] [--seed X] [--first I] [--only I]: mutates the
// corpus and calls the fuzz target, without a fuzzing engine, N times or for S seconds (5 where
// neither is said). Input I of a seed is always the same, so that a failure is repeated with --seed
// X --only I, and a long run is shared out with --first.
//
// fuzz_networks --corpus FOLDER: writes the corpus, for a fuzzing engine to start from.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include "arch/base/random.h"
#include "tests/fuzz/corpus.h"
#include "tests/fuzz/network_target.h"

namespace patchnas {
namespace {

// The input that runs, for the message at the end of a failing run.
std::atomic<std::int64_t> current_input{0};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);  // read in a signal's handler
std::string repeat_hint;

void report_failure() {
  std::cerr << repeat_hint << current_input << "\n";
  std::cerr.flush();
}

std::size_t anywhere(const std::string& bytes, RandomStream& stream) {
  return bytes.empty() ? 0 : static_cast<std::size_t>(stream.below(bytes.size()));
}

void overwrite_integer(std::string& bytes, RandomStream& stream) {
  // Around the ends of types, and around what our own limits are.
  static const std::vector<std::int64_t> values{0,           1,          2,
                                                3,           4,          5,
                                                7,           8,          16,
                                                46341,       -1,         127,
                                                255,         256,        32767,
                                                32768,       32769,      65535,
                                                65536,       1 << 20,    -2,
                                                128,         -3,         65537,
                                                1024,        4096,       4097,
                                                1 << 29,     1 << 30,    2147483647,
                                                -2147483648, 4294967295, 9223372036854775807};
  const std::size_t width = std::size_t{1} << stream.below(4);
  if (bytes.size() < width) {
    return;
  }
  const std::size_t at = anywhere(bytes, stream) / width * width;
  std::int64_t value = stream.pick(values);
  if (stream.chance(0.2)) {
    value = static_cast<std::int64_t>(stream.below(bytes.size()));  // an offset into the file
  }
  std::memcpy(bytes.data() + at, &value, std::min(width, bytes.size() - at));
}

// Another number or word of JSON for one that is there.
void replace_token(std::string& text, RandomStream& stream) {
  static const std::vector<std::string> tokens{"0",
                                               "-1",
                                               "1",
                                               "2",
                                               "3",
                                               "8",
                                               "64",
                                               "65536",
                                               "65537",
                                               "2147483647",
                                               "1e9",
                                               "99999999999999999999",
                                               "0.5",
                                               "1.5",
                                               "null",
                                               "true",
                                               "false",
                                               "[]",
                                               "{}",
                                               "\"relu\"",
                                               "[[",
                                               "}}",
                                               "\"",
                                               "ZeroLayer",
                                               "ResidualBlock",
                                               "IdentityLayer",
                                               "conv",
                                               "&a",
                                               "*a",
                                               "<<",
                                               ": ",
                                               "\n",
                                               "- ",
                                               "nan",
                                               "inf"};
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
  };
  std::size_t begin = anywhere(text, stream);
  while (begin < text.size() && !is_word(text[begin])) {
    ++begin;
  }
  std::size_t end = begin;
  while (end < text.size() && is_word(text[end])) {
    ++end;
  }
  text.replace(begin, end - begin, stream.pick(tokens));
}

void mutate_once(std::string& bytes, const std::vector<std::string>& corpus, RandomStream& stream) {
  const bool is_text = !bytes.empty() && bytes.front() == '{';
  const std::size_t at = anywhere(bytes, stream);
  const std::size_t length = std::min<std::size_t>(bytes.size() - at, 1 + stream.below(64));
  switch (stream.below(is_text ? 8 : 6)) {
    case 0:
      if (!bytes.empty()) {
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << stream.below(8)));
      }
      break;
    case 1:
    case 2:
      overwrite_integer(bytes, stream);
      break;
    case 3: {  // a piece of another file at the same place
      const std::string& other = stream.pick(corpus);
      if (at < other.size()) {
        bytes.replace(at, length, other.substr(at, length));
      }
      break;
    }
    case 4:
      if (stream.chance(0.2)) {
        bytes.resize(at);
      } else if (!bytes.empty()) {
        bytes[at] = static_cast<char>(stream.next());
      }
      break;
    case 5:
      if (is_text) {
        bytes.insert(at, bytes.substr(anywhere(bytes, stream), length));
      } else {
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                    std::min<std::size_t>(4, length), '\0');
      }
      break;
    case 6:
      bytes.erase(at, length);
      break;
    default:
      replace_token(bytes, stream);
      break;
  }
}

std::string input(const std::vector<std::string>& corpus, std::uint64_t seed, std::int64_t index) {
  RandomStream stream(seed, "fuzz input " + std::to_string(index));
  std::string bytes = stream.pick(corpus);
  for (std::uint64_t changes = 1 + stream.below(5); changes > 0; --changes) {
    mutate_once(bytes, corpus, stream);
  }
  return bytes;
}

int run_target(const std::string& bytes) {
  return LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
}

void write_corpus(const std::vector<std::string>& corpus, const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  for (std::size_t i = 0; i < corpus.size(); ++i) {
    std::ofstream(folder / std::to_string(i), std::ios::binary) << corpus[i];
  }
}

using Options = std::map<std::string, std::string>;
using Clock = std::chrono::steady_clock;

std::int64_t number(const Options& options, const std::string& name, std::int64_t fallback) {
  const auto found = options.find(name);
  return found == options.end() ? fallback : std::stoll(found->second);
}

// Executes mutations until enough were; returns how many.
std::int64_t execute(const std::vector<std::string>& corpus, const Options& options,
                     std::uint64_t seed) {
  constexpr std::int64_t kAny = std::numeric_limits<std::int64_t>::max();
  const std::int64_t executions = number(options, "--executions", kAny);
  const bool has_end = options.contains("--seconds") || executions == kAny;
  const auto end = Clock::now() + std::chrono::seconds(number(options, "--seconds", 5));
  const std::int64_t first = number(options, "--first", 0);
  std::int64_t done = 0;
  for (; done < executions && !(has_end && Clock::now() >= end); ++done) {
    current_input = first + done;
    run_target(input(corpus, seed, first + done));
  }
  return done;
}

int fuzz(const Options& options) {
  const auto seed = static_cast<std::uint64_t>(number(options, "--seed", 1));
  const std::vector<std::string> corpus = testing::fuzz_corpus(seed);
  if (options.contains("--corpus")) {
    write_corpus(corpus, options.at("--corpus"));
    return 0;
  }
  repeat_hint = "fuzz_networks: failed; repeat with --seed " + std::to_string(seed) + " --only ";
  if (options.contains("--only")) {
    current_input = number(options, "--only", 0);
    return run_target(input(corpus, seed, current_input));
  }
  for (const std::string& original : corpus) {
    run_target(original);
  }
  const auto start = Clock::now();
  const std::int64_t done = execute(corpus, options, seed);
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::cout << "fuzz_networks: seed " << seed << ", " << corpus.size() << " files, " << done
            << " mutations of them, " << static_cast<std::int64_t>(done / std::max(seconds, 1e-9))
            << " a second\n";
  return 0;
}

}  // namespace
}  // namespace patchnas

#if defined(__SANITIZE_ADDRESS__)
extern "C" void __sanitizer_set_death_callback(void (*callback)());
#endif

int main(int argc, char** argv) {
  const std::vector<std::string> known{"--seconds", "--executions", "--seed",
                                       "--first",   "--only",       "--corpus"};
  std::map<std::string, std::string> options;
  for (int i = 1; i < argc; i += 2) {
    if (i + 1 == argc || std::find(known.begin(), known.end(), argv[i]) == known.end()) {
      std::cerr << "fuzz_networks: " << argv[i] << ": unknown, or without its value\n";
      return 2;
    }
    options[argv[i]] = argv[i + 1];
  }
#if defined(__SANITIZE_ADDRESS__)
  __sanitizer_set_death_callback(patchnas::report_failure);
#endif
  std::signal(SIGABRT, [](int) {
    patchnas::report_failure();
    std::_Exit(1);
  });
  return patchnas::fuzz(options);
}
