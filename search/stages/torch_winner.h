#pragma once

// The search's winner, trained with weights of its own. What is trained here is left in best/,
// where the stages after it read it.

#include "search/run/search_stage.h"
#include "search/stages/torch_supernet.h"

namespace patchnas {

/// What the search found. All ranks together, as all that reads here.
/// @throws InputError if best/candidate.json is missing or damaged.
SearchResult read_winner(const TorchContext& context);

/// Fine-tunes the winner, or trains it from fresh weights where the recipe is standalone; trains
/// the supernet first if that is needed. For hours perhaps; from a checkpoint on, where there is
/// one, and not at all if that is the last.
/// @throws InputError if the run directory that holds a teacher is not finished, or damaged.
Subnet finetune(const TorchContext& context, RunImages& images, TrainedSupernet& supernet,
                const Architecture& architecture);

/// The winner as finetune() left it. @throws InputError if its weights are missing or damaged.
Subnet read_finetuned(const TorchContext& context, const Architecture& architecture);

}  // namespace patchnas
