#pragma once

// Front door of search/stages/: the stages that drive LibTorch: train, evaluate, quantise, export.
// These headers need none of it.
//
//   run_job({.meeting_folder = "runs", .open = [] { return RunDirectory::resume("runs/vww"); }});

#include "search/stages/data_progress.h"  // IWYU pragma: export
#include "search/stages/torch_job.h"      // IWYU pragma: export
#include "search/stages/torch_stages.h"   // IWYU pragma: export
