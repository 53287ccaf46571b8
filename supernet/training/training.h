#pragma once

// Front door of supernet/training/: training one step at a time.
//
//   Trainer trainer(sandwich_recipe(supernet, 4, 1.0), *data.training, config);
//   while (trainer.step() < trainer.total_steps()) trainer.train_step();
//
// A new way of training is a Recipe.

#include "supernet/training/optimiser.h"  // IWYU pragma: export
#include "supernet/training/recipe.h"     // IWYU pragma: export
#include "supernet/training/trainer.h"    // IWYU pragma: export
