#pragma once

// How often a classifier is right on labelled images, overall and by class.
//
//   Evaluation evaluation{.model = "vww.tflite", .classes = {{.name = "other"}, {.name =
//   "person"}}}; evaluation.add(label, scores.answer(outputs), scores.rank(outputs, label));
//   std::cout << table(evaluation);

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "search/report/run_target.h"

namespace patchnas {

struct ClassResult {
  std::string name;
  int images = 0;
  int right = 0;
  std::map<int, int> mistaken_for{};  ///< images by the class that was answered instead
};

struct Evaluation {
  std::string model;
  std::string images_from;
  std::string resizing;             ///< for people
  std::string pixels;               ///< for people
  std::string output;               ///< for people
  std::optional<RunTarget> target;  ///< nothing: the integer reference
  Rounding rounding = Rounding::kDouble;
  std::vector<ClassResult> classes;  ///< in the order of the network's output
  int in_top5 = 0;                   ///< images whose class is among the five likeliest
  int corrupt_images = 0;            ///< that were left out
  std::optional<std::int64_t> instructions = std::nullopt;  ///< of all images; emulated targets

  /// @param rank how many classes are likelier than the label; 0 if it is the answer
  void add(int label, int answer, int rank);
  [[nodiscard]] int images() const;
  [[nodiscard]] int right() const;
};

/// For people. Of many classes those that are recognised worst.
std::string table(const Evaluation& evaluation);

/// What `evaluate --json` prints.
std::string evaluation_report(const Evaluation& evaluation);

}  // namespace patchnas
