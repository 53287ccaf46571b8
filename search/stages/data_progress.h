#pragma once

// How long work with a data set appears on the console.

#include "supernet/data/image_files.h"

namespace patchnas {

/// Lines go to the log, progress to a bar; a stop signal ends the work with InterruptedError.
DataObserver console_observer();

}  // namespace patchnas
