#pragma once

// Which of how many processes of a job this one is, as its launcher says.

#include <functional>
#include <string>

namespace patchnas {

struct RankPlace {
  int rank = 0;
  int count = 1;
  int local_rank = 0;      ///< among those on this machine: the GPU it takes
  int local_count = 1;     ///< at most so many are on one machine and share its cores
  bool one_node = true;    ///< all ranks are on this machine
  std::string id = "one";  ///< one job's and one attempt's: what its ranks find each other by
  bool operator==(const RankPlace&) const = default;
};

/// From torchrun's RANK and WORLD_SIZE, with LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR,
/// MASTER_PORT, TORCHELASTIC_RUN_ID and TORCHELASTIC_RESTART_COUNT where they are set, or from what
/// srun sets for the tasks of a step. Without either: one rank.
/// @param variable reads an environment variable; nullptr where it is not set
/// @throws InputError naming the variable and what is allowed.
RankPlace rank_from_environment(const std::function<const char*(const char*)>& variable);
RankPlace rank_from_environment();

}  // namespace patchnas
