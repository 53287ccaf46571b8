// nas_search evaluate: how often a classifier is right on labelled images.

#include <memory>

#include <CLI/CLI.hpp>

#include "search/tool/commands.h"
#include "search/tool/number_options.h"
#include "search/tool/option_names.h"
#include "search/tool/run_target_options.h"
#include "search/tool/training.h"

namespace patchnas {
namespace {

void add_image_options(CLI::App& command, EvaluateOptions& options) {
  command
      .add_option("--images", options.images,
                  "Folder with a folder of JPEG and PNG files for each class")
      ->type_name("FOLDER");
  command
      .add_option("--config", options.config,
                  "Instead of a folder the test images of a configuration: a file, or the name of "
                  "one in configs/")
      ->excludes("--images")
      ->type_name("NAME");
  command
      .add_option("--set", options.assignments,
                  "Override a key of the configuration, as data.path=/data/coco; may be repeated")
      ->needs("--config")
      ->allow_extra_args(false)
      ->type_name("KEY=VALUE");
  command
      .add_option("--classes", options.classes,
                  "Names of the class folders, one a line, in the order of the network's output; "
                  "some may have no images. Default: as the folders are sorted")
      ->type_name("FILE");
  command
      .add_option("--count", options.count,
                  "Only so many images, drawn of every class in proportion")
      ->check(CLI::Range(1, 1 << 30))
      ->type_name("N");
  command.add_option("--seed", options.seed, "Of that draw")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("N");
  command
      .add_option("--max-corrupt-images", options.max_corrupt_images,
                  "So many that cannot be decoded are named and left out; one more is an error")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str()
      ->type_name("N");
}

void add_network_options(CLI::App& command, EvaluateOptions& options) {
  command
      .add_option("--resize", options.resize,
                  "How an image becomes one of the network's size; default: as the run or the "
                  "configuration evaluates, else crop")
      ->check(CLI::IsMember(names_of(kResizeWays)));
  command
      .add_option("--crop-ratio", options.crop_ratio,
                  "Share of the crop's height and width that is seen; default: that of the run or "
                  "the configuration, else 1")
      ->check(CLI::Range(0.1, 1.0))
      ->type_name("R");
  options.filter = to_string(ResizeFilter::kArea);
  command
      .add_option("--filter", options.filter,
                  "What a pixel of a smaller image is: the mean of its area; between four pixels, "
                  "as cv2.resize and tf.image.resize; or antialiased, as Pillow and torchvision")
      ->check(CLI::IsMember(names_of(kResizeFilters)))
      ->capture_default_str();
  CLI::Option* const mean =
      command
          .add_option("--mean", options.mean,
                      "The network reads (pixel - mean) / stddev: one number, or one a channel")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->type_name("M[,M,M]");
  command
      .add_option("--stddev", options.stddev, "The same; both are numbers of pixels from 0 to 255")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(positive_number())
      ->needs(mean)
      ->type_name("S[,S,S]");
  command
      .add_option("--output", options.output,
                  "Which of several outputs, by name; default: the first of more than one value")
      ->type_name("NAME");
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  const auto options = std::make_shared<EvaluateOptions>();
  CLI::App* command = app.add_subcommand(
      "evaluate", "The accuracy of an int8 classifier on labelled images, overall and by class");
  command
      ->add_option("network", options->subject,
                   "An int8 .tflite file, anybody's; a package that schedule or export wrote; or a "
                   "run directory, which has images of its own")
      ->required()
      ->type_name("MODEL|DIR|RUN");
  add_image_options(*command, *options);
  add_network_options(*command, *options);
  options->rounding = to_string(Rounding::kDouble);
  add_run_target_options(*command, options->target, options->rounding)
      ->description(
          "The package runs there: emulated, or on this machine; default: the integer reference");
  command->add_flag("--json", options->json, "One JSON object on standard output");
  command->footer(R"(
Examples:
  nas_search evaluate model.tflite --images photos/test
  nas_search evaluate model.tflite --images photos/test --resize stretch --classes labels.txt
  nas_search evaluate model.tflite --images photos/test --mean 123.7,116.3,103.5 --stddev 58.4,57.1,57.4
  nas_search evaluate model_64kib --images photos/test --target cortex-m4 --count 100
  nas_search evaluate runs/fashion_mnist_32kb --json

An image is decoded (grey where the network reads one channel, else RGB), resized, and given as
firmware gives it: to an int8 input the pixel less 128, to uint8 the pixel, to float32 its real
number. Crop takes the largest part in the middle with the shape of the network's input, stretch all
of the image, letterbox all of it in its own shape on black.
An input that is not scaled for pixels as [0, 1], [-1, 1], [0, 255] or [-128, 127] needs --mean and
--stddev, and then reads real numbers through its own scale and zero point.

The largest value of the output is the answer; a single one is the probability of the second class,
which is the answer from 0.5 on.
)");
  command->callback([options] { run_evaluate(*options); });
}

}  // namespace patchnas
