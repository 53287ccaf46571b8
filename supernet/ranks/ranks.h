#pragma once

// Front door of supernet/ranks/: the processes of one job.
//
//   ProcessGroup group(rank_from_environment(), "runs", std::chrono::minutes(5));
//   group.sum(gradient);                 // in place, on every rank
//   if (group.rank() == 0) write(...);   // one rank writes

#include "supernet/ranks/process_group.h"  // IWYU pragma: export
#include "supernet/ranks/rank_place.h"     // IWYU pragma: export
