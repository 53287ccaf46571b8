#pragma once

// Front door of search/engine/: candidates, what they cost, which are tried. Files and accuracies
// are behind interfaces.
//
//   CandidateFilter filter(space, target, latency_model_for(target).get());
//   Evolution evolution(settings, filter, seed);
//   while (!evolution.finished()) {
//     evolution.report(evaluator.evaluate(evolution.proposals()));
//   }
//   use(evolution.best());
//
// A new search algorithm belongs here.

#include "search/engine/candidate.h"         // IWYU pragma: export
#include "search/engine/candidate_filter.h"  // IWYU pragma: export
#include "search/engine/candidate_store.h"   // IWYU pragma: export
#include "search/engine/evaluator.h"         // IWYU pragma: export
#include "search/engine/evolution.h"         // IWYU pragma: export
#include "search/engine/schedule_chooser.h"  // IWYU pragma: export
#include "search/engine/target.h"            // IWYU pragma: export
