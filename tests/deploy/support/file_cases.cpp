// Operators as other converters' files have them, among them those that are several layers here.

#include <algorithm>
#include <functional>
#include <numeric>
#include <tuple>

#include "tests/deploy/support/file_builder.h"
#include "tests/deploy/support/random_quantised.h"
#include "tests/deploy/support/recorded_cases.h"

namespace patchnas::testing {
namespace {

using tflite::BuiltinOperator;
using tflite::BuiltinOptions;
using Dimensions = std::vector<int>;

constexpr TensorQuantisation kIn{0.05F, 3};
constexpr TensorQuantisation kOut{0.06F, -7};

int count_of(const Dimensions& dimensions) {
  return std::accumulate(dimensions.begin(), dimensions.end(), 1, std::multiplies<>());
}

std::string text_of(const Dimensions& numbers) {
  std::string text;
  for (const int number : numbers) {
    text.append(text.empty() ? "" : "x").append(std::to_string(number));
  }
  return text.empty() ? "one" : text;
}

class Maker {
 public:
  std::vector<FileCase> run() {
    reductions();
    constant_operands();
    joins();
    splits();
    blocks();
    shape_arithmetic();
    computed_constants();
    mirrors();
    dilations();
    least();
    scattered_indices();
    uint8_between();
    return std::move(cases_);
  }

 private:
  // Of a file whose only input is `image`.
  void add(const std::string& name, FileBuilder& file, int image, const Dimensions& input,
           int output) {
    cases_.push_back(
        {name, file.finish({image}, {output}), random_bytes(count_of(input), stream_)});
  }

  int random_constant(FileBuilder& file, const Dimensions& shape,
                      const TensorQuantisation& q = {0.04F, -11}) {
    return file.constant8("constant", shape, random_bytes(count_of(shape), stream_), q);
  }

  // What MAX_POOL_2D over single pixels makes of the image: the same, and no image any more.
  static int pooled(FileBuilder& file, int image, const Dimensions& shape) {
    const int result = file.activation("pooled", shape, kIn);
    file.pool(BuiltinOperator::MAX_POOL_2D, image, result, tflite::Padding::VALID, 1, 1, 1, 1);
    return result;
  }

  // ----- reductions

  static Dimensions reduced(const Dimensions& from, const Dimensions& axes, bool keeps) {
    Dimensions to;
    for (int i = 0; i < static_cast<int>(from.size()); ++i) {
      const bool is_reduced = std::find(axes.begin(), axes.end(), i) != axes.end();
      if (keeps || !is_reduced) {
        to.push_back(is_reduced ? 1 : from[static_cast<std::size_t>(i)]);
      }
    }
    return to;
  }

  void reduction(BuiltinOperator code, const Dimensions& from, const Dimensions& axes, bool keeps) {
    FileBuilder file;
    const Dimensions given = from[0] > 1 && from.size() > 3 ? Dimensions{1, count_of(from)} : from;
    const int image = file.activation("image", given, kIn);
    int all = image;
    if (given != from) {
      all = file.activation("all", from, kIn);
      file.add(BuiltinOperator::RESHAPE, {image}, {all});
    }
    const int axis = file.constant("axes", {static_cast<int>(axes.size())}, axes);
    const bool is_choice =
        code == BuiltinOperator::REDUCE_MAX || code == BuiltinOperator::REDUCE_MIN;
    const int out = file.activation("out", reduced(from, axes, keeps), is_choice ? kIn : kOut);
    file.add(code, {all, axis}, {out}, BuiltinOptions::ReducerOptions,
             tflite::CreateReducerOptions(file.options(), keeps).Union());
    add(std::string(EnumNameBuiltinOperator(code)) + "_of_" + text_of(from) + "_over_" +
            text_of(axes) + (keeps ? "_keeping" : ""),
        file, image, given, out);
  }

  void reductions() {
    for (const BuiltinOperator code :
         {BuiltinOperator::MEAN, BuiltinOperator::REDUCE_MAX, BuiltinOperator::SUM}) {
      reductions(code);
    }
    reduction_of_transposed();
  }

  void least() { reductions(BuiltinOperator::REDUCE_MIN); }

  void reductions(BuiltinOperator code) {
    for (const Dimensions& axes :
         {Dimensions{1}, {2}, {3}, {1, 2}, {1, 3}, {2, 3}, {1, 2, 3}, {3, 1}}) {
      reduction(code, {1, 3, 4, 5}, axes, true);
      reduction(code, {1, 3, 4, 5}, axes, false);
    }
    reduction(code, {3, 7}, {0}, false);
    reduction(code, {3, 7}, {1}, true);
    reduction(code, {1, 9}, {1}, false);
    reduction(code, {2, 3, 4}, {0, 2}, true);
    reduction(code, {2, 3, 2, 5}, {1, 2}, false);
    reduction(code, {2, 3, 2, 5}, {0, 3}, true);
  }

  // Over what are the channels before, and the columns behind a transposition.
  void reduction_of_transposed() {
    FileBuilder file;
    const int image = file.activation("image", {1, 3, 4, 5}, kIn);
    const int all = pooled(file, image, {1, 3, 4, 5});
    const int order = file.constant("order", {4}, {0, 3, 1, 2});
    const int turned = file.activation("turned", {1, 5, 3, 4}, kIn);
    file.add(BuiltinOperator::TRANSPOSE, {all, order}, {turned});
    const int axes = file.constant("axes", {2}, {1, 3});
    const int out = file.activation("out", {1, 1, 3, 1}, kOut);
    file.add(BuiltinOperator::MEAN, {turned, axes}, {out}, BuiltinOptions::ReducerOptions,
             tflite::CreateReducerOptions(file.options(), true).Union());
    add("MEAN_of_transposed", file, image, {1, 3, 4, 5}, out);
  }

  // ----- constants

  void combination(BuiltinOperator code, const Dimensions& from, const Dimensions& constant,
                   const Dimensions& to, bool constant_is_first) {
    FileBuilder file;
    const int image = file.activation("image", from, kIn);
    const int other = random_constant(file, constant);
    const int out = file.activation("out", to, kOut);
    auto type = BuiltinOptions::NONE;
    flatbuffers::Offset<void> options;
    if (code == BuiltinOperator::ADD) {
      type = BuiltinOptions::AddOptions;
      options = tflite::CreateAddOptions(file.options()).Union();
    } else if (code == BuiltinOperator::SUB) {
      type = BuiltinOptions::SubOptions;
      options = tflite::CreateSubOptions(file.options()).Union();
    } else if (code == BuiltinOperator::MUL) {
      type = BuiltinOptions::MulOptions;
      options = tflite::CreateMulOptions(file.options()).Union();
    }
    file.add(code, constant_is_first ? std::vector{other, image} : std::vector{image, other}, {out},
             type, options);
    add(std::string(EnumNameBuiltinOperator(code)) + "_of_" + text_of(from) + "_and_" +
            text_of(constant) + (constant_is_first ? "_first" : ""),
        file, image, from, out);
  }

  void constant_operands() {
    for (const BuiltinOperator code :
         {BuiltinOperator::ADD, BuiltinOperator::SUB, BuiltinOperator::MUL, BuiltinOperator::PRELU,
          BuiltinOperator::MAXIMUM, BuiltinOperator::MINIMUM,
          BuiltinOperator::SQUARED_DIFFERENCE}) {
      const Dimensions map{1, 3, 4, 5};
      for (const Dimensions& constant :
           {map, Dimensions{3, 4, 5}, {4, 5}, {4, 1}, {3, 1, 1}, {1, 3, 1, 5}, {5}, {}}) {
        combination(code, map, constant, map, false);
        if (code == BuiltinOperator::SUB || code == BuiltinOperator::MAXIMUM) {
          combination(code, map, constant, map, true);
        }
      }
      combination(code, {1, 1, 1, 5}, map, map, false);
      combination(code, {4, 5}, {4, 5}, {4, 5}, false);
      combination(code, {1, 5}, {1, 1, 1, 5}, {1, 1, 1, 5}, false);
    }
  }

  // ----- joining and taking apart

  // Which of three parts are constants.
  void joins() {
    for (const bool is_pack : {false, true}) {
      const BuiltinOperator code = is_pack ? BuiltinOperator::PACK : BuiltinOperator::CONCATENATION;
      const Dimensions part = is_pack ? Dimensions{3, 4, 5} : Dimensions{1, 3, 4, 5};
      for (int axis = is_pack ? 0 : 1; axis <= 3; ++axis) {
        for (const int constants : {0, 1, 2, 4, 5, 6}) {
          join(code, part, axis, constants);
        }
      }
    }
    join(BuiltinOperator::PACK, {6}, -1, 2);
  }

  void join(BuiltinOperator code, const Dimensions& part, int axis, int constants) {
    FileBuilder file;
    const bool is_pack = code == BuiltinOperator::PACK;
    const int image = file.activation("image", part, kIn);
    std::vector<int> inputs;
    for (int i = 0; i < 3; ++i) {
      inputs.push_back((constants >> i & 1) != 0 ? random_constant(file, part, kIn) : image);
    }
    Dimensions to = part;
    const auto at = static_cast<std::size_t>(axis < 0 ? static_cast<int>(part.size()) : axis);
    if (is_pack) {
      to.insert(to.begin() + static_cast<std::ptrdiff_t>(at), 3);
    } else {
      to[at] *= 3;
    }
    const int out = file.activation("out", to, kIn);
    file.add(code, inputs, {out},
             is_pack ? BuiltinOptions::PackOptions : BuiltinOptions::ConcatenationOptions,
             is_pack ? tflite::CreatePackOptions(file.options(), 3, axis).Union()
                     : tflite::CreateConcatenationOptions(file.options(), axis).Union());
    add(std::string(EnumNameBuiltinOperator(code)) + "_of_" + text_of(part) + "_along_" +
            std::to_string(axis) + "_constants_" + std::to_string(constants),
        file, image, part, out);
  }

  void splits() {
    for (const int axis : {0, 1, 2, -1}) {
      FileBuilder file;
      const Dimensions from{3, 3, 3};
      const int image = file.activation("image", from, kIn);
      std::vector<int> parts;
      for (int i = 0; i < 3; ++i) {
        parts.push_back(
            file.activation(std::string("part").append(std::to_string(i)), {3, 3}, kIn));
      }
      file.add(BuiltinOperator::UNPACK, {image}, parts, BuiltinOptions::UnpackOptions,
               tflite::CreateUnpackOptions(file.options(), 3, axis).Union());
      const int sum = file.activation("sum", {3, 3}, kOut);
      file.sum(parts[0], parts[2], sum);
      add("UNPACK_along_" + std::to_string(axis), file, image, from, sum);
    }
    gather(1, {2}, {1});
    gather(1, {3}, {});
    gather(2, {0, 1, 2}, {3});
    gather(-1, {0, 3}, {2});
  }

  void scattered_indices() {
    gather(1, {3, 0, 2}, {3});
    gather(2, {1, 1, 4, 0}, {4});
    gather(-1, {4, 3, 2, 1, 0}, {5});
    gather(1, {2, 0, 1, 3}, {2, 2});
    gather(2, {2, 2, 2}, {3});
  }

  // QUANTIZE to uint8, RESHAPE, and back to int8 of another scale, or of the same.
  void uint8_between() {
    for (const auto& [name, outer, inner] :
         {std::tuple{"same", TensorQuantisation{0.05F, 131}, kIn},
          {"finer", TensorQuantisation{0.03F, 140}, kIn},
          {"other", TensorQuantisation{0.07F, 90}, kOut}}) {
      FileBuilder file;
      const int image = file.activation("image", {1, 4, 5, 3}, kIn);
      const int all = pooled(file, image, {1, 4, 5, 3});
      const int bytes = file.activation("bytes", {1, 4, 5, 3}, outer, tflite::TensorType::UINT8);
      file.add(BuiltinOperator::QUANTIZE, {all}, {bytes});
      const int flat = file.activation("flat", {1, 60}, outer, tflite::TensorType::UINT8);
      file.add(BuiltinOperator::RESHAPE, {bytes}, {flat});
      const int out = file.activation("out", {1, 60}, inner);
      file.add(BuiltinOperator::QUANTIZE, {flat}, {out});
      add(std::string("QUANTIZE_to_uint8_and_back_") + name, file, image, {1, 4, 5, 3}, out);
    }
  }

  void gather(int axis, const std::vector<std::int32_t>& indices, const Dimensions& shape) {
    FileBuilder file;
    const Dimensions from{1, 4, 5};
    Dimensions to = from;
    const auto at = to.begin() + (axis < 0 ? axis + 3 : axis);
    to.insert(to.erase(at), shape.begin(), shape.end());
    const int image = file.activation("image", from, kIn);
    const int places = file.constant("places", shape, indices);
    const int out = file.activation("out", to, kIn);
    file.add(BuiltinOperator::GATHER, {image, places}, {out}, BuiltinOptions::GatherOptions,
             tflite::CreateGatherOptions(file.options(), axis).Union());
    add("GATHER_along_" + std::to_string(axis) + "_" + text_of(indices) + "_as_" + text_of(shape),
        file, image, from, out);
  }

  void blocks() {
    for (const int block : {2, 3}) {
      for (const bool to_space : {false, true}) {
        const Dimensions deep{1, 2, 4, 3 * block * block};
        const Dimensions wide{1, 2 * block, 4 * block, 3};
        FileBuilder file;
        const Dimensions& from = to_space ? deep : wide;
        const int image = file.activation("image", from, kIn);
        const int out = file.activation("out", to_space ? wide : deep, kIn);
        const BuiltinOperator code =
            to_space ? BuiltinOperator::DEPTH_TO_SPACE : BuiltinOperator::SPACE_TO_DEPTH;
        file.add(
            code, {image}, {out},
            to_space ? BuiltinOptions::DepthToSpaceOptions : BuiltinOptions::SpaceToDepthOptions,
            to_space ? tflite::CreateDepthToSpaceOptions(file.options(), block).Union()
                     : tflite::CreateSpaceToDepthOptions(file.options(), block).Union());
        add(std::string(EnumNameBuiltinOperator(code)) + "_" + std::to_string(block), file, image,
            from, out);
      }
    }
  }

  // ----- what is known when the file is read

  // [1, times * rows, times * columns, channels] of a tensor's own shape.
  static int shape_of_output(FileBuilder& file, int tensor, int times, int channels) {
    const int shape = file.plain("shape", {4}, tflite::TensorType::INT32);
    file.add(BuiltinOperator::SHAPE, {tensor}, {shape});
    std::vector<int> numbers{file.constant("batch", {}, {1})};
    const int factor = file.constant("factor", {}, {times});
    const int step = file.constant("step", {1}, {1});
    for (const int axis : {1, 2}) {
      const int begin = file.constant("begin", {1}, {axis});
      const int end = file.constant("end", {1}, {axis + 1});
      const int extent = file.plain("extent", {}, tflite::TensorType::INT32);
      file.add(BuiltinOperator::STRIDED_SLICE, {shape, begin, end, step}, {extent},
               BuiltinOptions::StridedSliceOptions,
               tflite::CreateStridedSliceOptions(file.options(), 0, 0, 0, 0, 1).Union());
      const int larger = file.plain("larger", {}, tflite::TensorType::INT32);
      file.add(BuiltinOperator::MUL, {extent, factor}, {larger}, BuiltinOptions::MulOptions,
               tflite::CreateMulOptions(file.options()).Union());
      numbers.push_back(larger);
    }
    numbers.push_back(file.constant("channels", {}, {channels}));
    const int packed = file.plain("packed", {4}, tflite::TensorType::INT32);
    file.add(BuiltinOperator::PACK, numbers, {packed}, BuiltinOptions::PackOptions,
             tflite::CreatePackOptions(file.options(), 4, 0).Union());
    return packed;
  }

  void shape_arithmetic() {
    for (const bool has_bias : {true, false}) {
      FileBuilder file;
      const int image = file.activation("image", {1, 3, 4, 5}, kIn);
      const int shape = shape_of_output(file, image, 2, 6);
      const int weights = file.weights("weights", {6, 3, 3, 5}, random_bytes(270, stream_),
                                       std::vector<float>(6, 0.004F), 0);
      std::vector<int> inputs{shape, weights, image};
      if (has_bias) {
        inputs.push_back(file.biases("bias", {100, -900, 5000, 30, 0, -7000},
                                     std::vector<float>(6, 0.004F * kIn.scale)));
      }
      const int out = file.activation("out", {1, 6, 8, 6}, kOut);
      file.add(
          BuiltinOperator::TRANSPOSE_CONV, inputs, {out}, BuiltinOptions::TransposeConvOptions,
          tflite::CreateTransposeConvOptions(file.options(), tflite::Padding::SAME, 2, 2).Union());
      add(std::string("TRANSPOSE_CONV_to_a_computed_shape") + (has_bias ? "" : "_without_bias"),
          file, image, {1, 3, 4, 5}, out);
    }
  }

  void computed_constants() {
    FileBuilder file;
    const int image = file.activation("image", {1, 3, 4, 5}, kIn);
    const int stored = random_constant(file, {5, 3, 4});
    const int order = file.constant("order", {3}, {1, 2, 0});
    const int turned = file.activation("turned", {3, 4, 5}, {0.04F, -11});
    file.add(BuiltinOperator::TRANSPOSE, {stored, order}, {turned});
    const int flat = file.activation("flat", {1, 3, 4, 5}, {0.04F, -11});
    const int shape = file.constant("shape", {4}, {1, 3, 4, 5});
    file.add(BuiltinOperator::RESHAPE, {turned, shape}, {flat});
    const int out = file.activation("out", {1, 3, 4, 5}, kOut);
    file.sum(image, flat, out);
    add("ADD_of_a_reshaped_and_transposed_constant", file, image, {1, 3, 4, 5}, out);
  }

  // ----- margins and dilation

  void mirrors() {
    for (const auto mode : {tflite::MirrorPadMode::REFLECT, tflite::MirrorPadMode::SYMMETRIC}) {
      for (const std::vector<std::int32_t>& margins : {std::vector{0, 0, 1, 1, 1, 1, 0, 0},
                                                       {0, 0, 2, 0, 0, 3, 0, 0},
                                                       {0, 0, 0, 0, 0, 0, 1, 2}}) {
        const Dimensions from{1, 3, 4, 5};
        Dimensions to = from;
        for (std::size_t i = 0; i < to.size(); ++i) {
          to[i] += margins[2 * i] + margins[2 * i + 1];
        }
        FileBuilder file;
        const int image = file.activation("image", from, kIn);
        const int amounts = file.constant("amounts", {4, 2}, margins);
        const int out = file.activation("out", to, kIn);
        file.add(BuiltinOperator::MIRROR_PAD, {image, amounts}, {out},
                 BuiltinOptions::MirrorPadOptions,
                 tflite::CreateMirrorPadOptions(file.options(), mode).Union());
        add(std::string("MIRROR_PAD_") + EnumNameMirrorPadMode(mode) + "_to_" + text_of(to), file,
            image, from, out);
      }
    }
  }

  // TensorFlow Lite Micro does not set what it pads blocks with; where the zero point is 0 it is
  // what its memory is cleared to.
  static constexpr TensorQuantisation kCentred{0.05F, 0};

  // What is around a convolution that a converter could not make a dilated one.
  struct Blocks {
    std::string name;
    Dimensions from;
    std::vector<std::int32_t> blocks, pads, crops;
    Dimensions read;  // by the convolution, [batches, height, width, channels]
    int kernel_h = 1;
    int kernel_w = 1;
    bool is_depthwise = false;
  };

  void dilation(const Blocks& b) {
    FileBuilder file;
    const int image = file.activation("image", b.from, kCentred);
    const auto dimensions = static_cast<int>(b.blocks.size());
    const int blocks = file.constant("blocks", {dimensions}, b.blocks);
    const int channels = b.is_depthwise ? b.read[3] : 4;
    Dimensions made = b.read;
    made[1] -= b.kernel_h - 1;
    made[2] -= b.kernel_w - 1;
    made[3] = channels;
    const auto without_ones = [&](const Dimensions& d) {
      return dimensions == 2 ? d : Dimensions{d[0], d[1] * d[2], d[3]};
    };
    const int apart = file.activation("apart", without_ones(b.read), kCentred);
    file.add(BuiltinOperator::SPACE_TO_BATCH_ND,
             {image, blocks, file.constant("pads", {dimensions, 2}, b.pads)}, {apart});
    const int read = dimensions == 2 ? apart : file.activation("read", b.read, kCentred);
    const int convolved = file.activation("convolved", made, kOut);
    const int flat =
        dimensions == 2 ? convolved : file.activation("flat", without_ones(made), kOut);
    const std::vector<float> scales(static_cast<std::size_t>(channels), 0.005F);
    const Dimensions shape = b.is_depthwise
                                 ? Dimensions{1, b.kernel_h, b.kernel_w, channels}
                                 : Dimensions{channels, b.kernel_h, b.kernel_w, b.read[3]};
    const int weights = file.weights("weights", shape, random_bytes(count_of(shape), stream_),
                                     scales, b.is_depthwise ? 3 : 0);
    const int bias = file.biases("bias", std::vector<std::int32_t>(scales.size(), 700),
                                 std::vector<float>(scales.size(), 0.005F * kCentred.scale));
    if (read != apart) {
      file.add(BuiltinOperator::RESHAPE, {apart}, {read});
    }
    if (b.is_depthwise) {
      file.convolve_depthwise({read, weights, bias}, convolved, tflite::Padding::VALID, 1, 1, 1);
    } else {
      file.convolve({read, weights, bias}, convolved, tflite::Padding::VALID, 1, 1);
    }
    if (flat != convolved) {
      file.add(BuiltinOperator::RESHAPE, {convolved}, {flat});
    }
    Dimensions to = without_ones(made);
    to[0] = 1;
    for (std::size_t i = 0; i < b.blocks.size(); ++i) {
      to[i + 1] = to[i + 1] * b.blocks[i] - b.crops[2 * i] - b.crops[2 * i + 1];
    }
    const int out = file.activation("out", to, kOut);
    file.add(BuiltinOperator::BATCH_TO_SPACE_ND,
             {flat, blocks, file.constant("crops", {dimensions, 2}, b.crops)}, {out});
    add("dilation_" + b.name, file, image, b.from, out);
  }

  void dilations() {
    dilation({.name = "same",
              .from = {1, 6, 7, 3},
              .blocks = {2, 2},
              .pads = {2, 2, 2, 3},
              .crops = {0, 0, 0, 1},
              .read = {4, 5, 6, 3},
              .kernel_h = 3,
              .kernel_w = 3});
    dilation({.name = "depthwise",
              .from = {1, 6, 7, 3},
              .blocks = {2, 3},
              .pads = {2, 2, 3, 5},
              .crops = {0, 0, 0, 2},
              .read = {6, 5, 5, 3},
              .kernel_h = 3,
              .kernel_w = 3,
              .is_depthwise = true});
    dilation({.name = "valid",
              .from = {1, 8, 9, 3},
              .blocks = {2, 3},
              .pads = {0, 0, 0, 0},
              .crops = {0, 0, 0, 0},
              .read = {6, 4, 3, 3},
              .kernel_h = 2,
              .kernel_w = 2});
    dilation({.name = "causal_columns",
              .from = {1, 11, 5},
              .blocks = {4},
              .pads = {8, 1},
              .crops = {0, 1},
              .read = {4, 1, 5, 5},
              .kernel_h = 1,
              .kernel_w = 3});
    dilation({.name = "causal_rows",
              .from = {1, 11, 5},
              .blocks = {4},
              .pads = {8, 1},
              .crops = {0, 1},
              .read = {4, 5, 1, 5},
              .kernel_h = 3,
              .kernel_w = 1});
  }

  RandomStream stream_{95, "file cases"};
  std::vector<FileCase> cases_;
};

}  // namespace

std::vector<FileCase> file_cases() { return Maker().run(); }

}  // namespace patchnas::testing
