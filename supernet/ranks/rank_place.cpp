#include "supernet/ranks/rank_place.h"

#include <charconv>
#include <cstdlib>
#include <string_view>

#include "arch/base/error.h"

namespace patchnas {
namespace {

constexpr int kMostRanks = 1 << 16;

class Environment {
 public:
  explicit Environment(const std::function<const char*(const char*)>& variable)
      : variable_(variable) {}

  [[nodiscard]] bool has(const char* name) const { return variable_(name) != nullptr; }
  [[nodiscard]] std::string text_or(const char* name, const char* otherwise) const {
    const char* value = variable_(name);
    return value == nullptr ? otherwise : value;
  }
  [[nodiscard]] int number(const char* name, int min, int max) const {
    const char* value = variable_(name);
    if (value == nullptr) {
      throw InputError(std::string("environment: ") + name +
                       " is missing; a job of several ranks needs it");
    }
    const std::string_view text = value;
    int result = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), result);
    if (error != std::errc() || end != text.data() + text.size() || result < min || result > max) {
      throw InputError(std::string("environment: ") + name + " is '" + value +
                       "'; allowed: " + std::to_string(min) + " to " + std::to_string(max));
    }
    return result;
  }
  [[nodiscard]] int number_or(const char* name, int min, int max, int otherwise) const {
    return has(name) ? number(name, min, max) : otherwise;
  }

 private:
  const std::function<const char*(const char*)>& variable_;
};

// Fit for the name of a file.
std::string plain(std::string text) {
  for (char& c : text) {
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') || c == '.' || c == '-' || c == '_';
    c = is_plain ? c : '_';
  }
  return text;
}

RankPlace place_from_torchrun(const Environment& environment) {
  RankPlace place;
  place.count = environment.number("WORLD_SIZE", 1, kMostRanks);
  place.rank = environment.number("RANK", 0, place.count - 1);
  place.local_rank = environment.number_or("LOCAL_RANK", 0, kMostRanks, 0);
  const std::string address = environment.text_or("MASTER_ADDR", "localhost");
  place.one_node = environment.has("LOCAL_WORLD_SIZE")
                       ? environment.number("LOCAL_WORLD_SIZE", 1, kMostRanks) == place.count
                       : address == "localhost" || address == "127.0.0.1";
  place.local_count =
      environment.number_or("LOCAL_WORLD_SIZE", 1, kMostRanks, place.one_node ? place.count : 1);
  place.id = plain("torchrun-" + environment.text_or("TORCHELASTIC_RUN_ID", "none") + "-" +
                   environment.text_or("MASTER_PORT", "none") + "-" +
                   environment.text_or("TORCHELASTIC_RESTART_COUNT", "0"));
  return place;
}

RankPlace place_from_slurm(const Environment& environment) {
  RankPlace place;
  place.count = environment.number("SLURM_STEP_NUM_TASKS", 1, kMostRanks);
  place.rank = environment.number("SLURM_PROCID", 0, place.count - 1);
  place.local_rank = environment.number_or("SLURM_LOCALID", 0, kMostRanks, 0);
  const int nodes = environment.number_or("SLURM_STEP_NUM_NODES", 1, kMostRanks, 1);
  place.local_count = (place.count + nodes - 1) / nodes;
  place.one_node = nodes == 1;
  place.id = plain("slurm-" + environment.text_or("SLURM_JOB_ID", "none") + "." +
                   environment.text_or("SLURM_STEP_ID", "0") + "." +
                   environment.text_or("SLURM_RESTART_COUNT", "0"));
  return place;
}

}  // namespace

RankPlace rank_from_environment(const std::function<const char*(const char*)>& variable) {
  const Environment environment(variable);
  if (environment.has("RANK") || environment.has("WORLD_SIZE")) {
    return place_from_torchrun(environment);
  }
  // Not SLURM_NTASKS: it is set in the batch script too, which is no rank.
  if (environment.has("SLURM_STEP_NUM_TASKS")) {
    return place_from_slurm(environment);
  }
  return {};
}

RankPlace rank_from_environment() {
  return rank_from_environment([](const char* name) { return std::getenv(name); });  // NOLINT
}

}  // namespace patchnas
