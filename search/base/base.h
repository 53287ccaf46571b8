#pragma once

// Front door of search/base/: files, processes, signals, the console; nothing here knows of
// networks.
//
//   install_stop_signals(WhenStopped::kContinues);
//   write_file(path, bytes);    // the old content or the new one, never a mixture
//   if (stop_requested()) throw_interrupted();

#include "search/base/console.h"        // IWYU pragma: export
#include "search/base/files.h"          // IWYU pragma: export
#include "search/base/listed_folder.h"  // IWYU pragma: export
#include "search/base/process.h"        // IWYU pragma: export
#include "search/base/sealed_json.h"    // IWYU pragma: export
#include "search/base/shipped_files.h"  // IWYU pragma: export
#include "search/base/stop_signal.h"    // IWYU pragma: export
#include "search/base/text.h"           // IWYU pragma: export
