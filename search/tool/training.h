#pragma once

// What the commands ask of search/stages (training.cpp). nas_search itself has no LibTorch: it
// hands what needs it over (without_training.cpp).

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "arch/network.h"
#include "supernet/data/data_config.h"
#include "supernet/data/image_fit.h"
#include "supernet/data/image_set.h"

namespace patchnas {

struct SearchOptions {
  std::string config;
  std::string resume;
  std::vector<std::string> assignments;
  std::string device;
  std::string threads;
  std::string runs_folder;
  int rank_timeout = 600;  ///< seconds
};

inline constexpr const char* kSearchNeeds =
    "needs --config NAME or --resume DIR, and not both; see nas_search --help";

struct ExportOptions {
  std::string run;
  std::string candidate_id;  ///< empty: the winner
  std::string folder;        ///< empty: in the run directory
  int dumped_test_images = 0;
};

struct PrepareOptions {
  std::string config;
  std::vector<std::string> assignments;
};

struct EvaluateOptions {
  std::string subject;  ///< .tflite file, folder of a package, or run directory
  std::string images;   ///< folder
  std::string config;   ///< or its test images; both empty: those of the run
  std::vector<std::string> assignments;
  std::string classes;  ///< file of their names; empty: folders, sorted
  int count = 0;        ///< 0: all
  std::uint64_t seed = 1;
  int max_corrupt_images = 10;
  std::string resize;  ///< of kResizeWays; empty: by run or configuration, else crop
  std::optional<double> crop_ratio;
  std::string filter;        ///< of kResizeFilters
  std::vector<double> mean;  ///< one or one a channel; empty: by the network's input
  std::vector<double> stddev;
  std::string output;  ///< empty: the first of more than one value
  std::string target;  ///< of kRunTargets; empty: the integer reference
  std::string rounding;
  bool json = false;
};

/// Comes back where the functions below are there; otherwise the program that has them does this
/// process's command from its beginning.
/// @param what the command needs them for
/// @throws InputError in a build without LibTorch
void require_training(const std::string& what);

/// The whole run, or what is left of it; prints the last screen.
void run_search(const SearchOptions& options);
/// int8 files of a finished run; prints the last screen.
void run_export(const ExportOptions& options);
/// Checks a data set and fills its cache; prints a line for each part.
void run_prepare(const PrepareOptions& options);

/// A network's answers on labelled images; prints how many are right.
void run_evaluate(const EvaluateOptions& options);

struct FolderOptions {
  std::string folder;   ///< of class folders
  std::string classes;  ///< file of their names; empty: folders, sorted
  int count = 0;        ///< drawn at random, as many of each class as there are; 0: all
  std::uint64_t seed = 1;
  ImageFit fit{};
};
/// Images as a network of that input reads them, with their labels.
ImageSet images_of_folder(const FolderOptions& options, const TensorShape& shape);

/// Sets how many threads this process computes with: Config::threads.
void compute_in(int threads);

/// The first `count` test images, or all if there are fewer, as an int8 network reads them: back to
/// back, each [H, W, C].
/// @param resolution height and width
std::vector<std::int8_t> quantised_test_images(const DataConfig& data, int resolution, int count);

}  // namespace patchnas
