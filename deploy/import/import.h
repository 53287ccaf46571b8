#pragma once

// Front door of deploy/import/: what readers of other people's model files share, whatever the
// format.
//
//   FileObstacles obstacles;
//   obstacles.add(FileObstacle("CONV_2D", "operator 3, tensor 7 'x'", "has no options"));
//   throw InputError(source + ": cannot be run: " + obstacles.text());

#include "deploy/import/dimensions.h"       // IWYU pragma: export
#include "deploy/import/file_inspection.h"  // IWYU pragma: export
#include "deploy/import/file_obstacles.h"   // IWYU pragma: export
#include "deploy/import/index_runs.h"       // IWYU pragma: export
