#pragma once

// Front door of search/run/: the run directory and its stages: what a kill at any instant leaves is
// enough to go on.
//
//   RunDirectory run = RunDirectory::start(config);   // new, or resumed if the configuration is
//   equal CheckpointStore store(run.path() / "supernet", "train_supernet"); store.save(1200,
//   trainer.save());

#include "search/run/checkpoint.h"         // IWYU pragma: export
#include "search/run/checkpoint_writer.h"  // IWYU pragma: export
#include "search/run/metrics_log.h"        // IWYU pragma: export
#include "search/run/run_directory.h"      // IWYU pragma: export
#include "search/run/search_stage.h"       // IWYU pragma: export
#include "search/run/stage.h"              // IWYU pragma: export
#include "search/run/standalone_stage.h"   // IWYU pragma: export
