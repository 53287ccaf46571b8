#pragma once

// What an evolution is told: what a configuration needs to know of it.

namespace patchnas {

struct EvolutionSettings {
  int population = 100;        ///< of the random first generation
  int parents = 20;            ///< kept from each generation to the next
  int crossover = 50;          ///< children of two parents in each iteration
  int mutation = 50;           ///< children of one parent in each iteration
  double mutation_rate = 0.1;  ///< chance of each choice to be drawn again
  int iterations = 30;         ///< generations after the first
  int max_attempts = 2000;     ///< draws for one place before another way is tried
  bool operator==(const EvolutionSettings&) const = default;
};

}  // namespace patchnas
