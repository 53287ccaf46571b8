// NAME.c: one call a layer, the loops over patches around those of a segment.

#include <array>
#include <string>

#include "deploy/c_emitter.h"
#include "deploy/c_names.h"
#include "deploy/text_template.h"

namespace patchnas {
namespace {

std::string number(std::int64_t value) { return std::to_string(value); }

// One statement broken after commas so that its lines stay short; the first begins at `column`.
std::string wrapped(std::string_view call, std::size_t column) {
  constexpr std::size_t kLineLength = 100;
  constexpr std::size_t kIndent = 8;
  std::string text;
  while (column + call.size() > kLineLength) {
    const std::size_t comma = call.rfind(", ", kLineLength - column - 1);
    if (comma == std::string_view::npos) {
      break;
    }
    text.append(call.substr(0, comma + 1)).append("\n").append(kIndent, ' ');
    call.remove_prefix(comma + 2);
    column = kIndent;
  }
  return text.append(call);
}

// Layers that run one after the other: all of one tile of a segment, or some between segments.
struct Run {
  const SegmentGeometry* segment = nullptr;
  int first_layer = 0;
  int end_layer = 0;
};

std::vector<Run> runs_of(const CProgram& program) {
  std::vector<Run> runs;
  int done = 0;
  const auto between_segments = [&](int end) {
    if (end > done) {
      runs.push_back({nullptr, done, end});
    }
    done = end;
  };
  for (const SegmentGeometry& geometry : program.segments) {
    between_segments(geometry.segment().first_layer);
    runs.push_back({&geometry, done, geometry.segment().end_layer});
    done = geometry.segment().end_layer;
  }
  between_segments(program.network.layer_count());
  return runs;
}

// A static function of the program, written where something calls it.
struct Helper {
  std::string_view call;
  std::string_view definition;
};

constexpr std::array kHelpers{Helper{"whole(", R"(
/* A tensor that is complete in memory. */
static patchnas_window whole(const int8_t* data, int32_t width, int32_t channels) {
  const patchnas_window window = {(int8_t*)data, 0, 0, width, channels}; /* inputs are only read */
  return window;
}
)"},
                              Helper{"everything(", R"(
static patchnas_rect everything(int32_t height, int32_t width) {
  const patchnas_rect rect = {0, height, 0, width};
  return rect;
}
)"},
                              Helper{"part(", R"(
/* The part of a tensor that is in memory while a patch is computed. */
static patchnas_window part(const int8_t* data, const span* rows, const span* cols,
                            int32_t channels) {
  const patchnas_window window = {(int8_t*)data, rows->window_begin, cols->window_begin,
                                  cols->window_end - cols->window_begin, channels};
  return window;
}
)"},
                              Helper{"computed(", R"(
static patchnas_rect computed(const span* rows, const span* cols) {
  const patchnas_rect rect = {rows->computed_begin, rows->computed_end, cols->computed_begin,
                              cols->computed_end};
  return rect;
}
)"},
                              Helper{"read_by_window(", R"(
/* What a layer with this kernel reads of its input, clipped at the image's border. */
static patchnas_rect read_by_window(const patchnas_kernel* kernel, const span* rows,
                                    const span* cols) {
  patchnas_rect rect = {
      rows->computed_begin * kernel->stride_h - kernel->pad_top,
      (rows->computed_end - 1) * kernel->stride_h - kernel->pad_top + kernel->height,
      cols->computed_begin * kernel->stride_w - kernel->pad_left,
      (cols->computed_end - 1) * kernel->stride_w - kernel->pad_left + kernel->width};
  rect.row_begin = rect.row_begin < 0 ? 0 : rect.row_begin;
  rect.col_begin = rect.col_begin < 0 ? 0 : rect.col_begin;
  rect.row_end = rect.row_end > kernel->input_height ? kernel->input_height : rect.row_end;
  rect.col_end = rect.col_end > kernel->input_width ? kernel->input_width : rect.col_end;
  return rect;
}
)"},
                              Helper{"both(", R"(
/* The smallest rectangle that holds both. */
static patchnas_rect both(patchnas_rect a, patchnas_rect b) {
  a.row_begin = a.row_begin < b.row_begin ? a.row_begin : b.row_begin;
  a.col_begin = a.col_begin < b.col_begin ? a.col_begin : b.col_begin;
  a.row_end = a.row_end > b.row_end ? a.row_end : b.row_end;
  a.col_end = a.col_end > b.col_end ? a.col_end : b.col_end;
  return a;
}
)"},
                              Helper{"pixel(", R"(
static int8_t* pixel(const patchnas_window* window, int32_t row, int32_t col) {
  return window->data +
         ((row - window->row) * window->width + (col - window->col)) * window->channels;
}
)"}};

class ProgramEmitter {
 public:
  explicit ProgramEmitter(const CProgram& program) : program_(program), runs_(runs_of(program)) {}

  std::string emit() const {
    std::string functions;
    for (const Run& run : runs_) {
      functions += function(run);
    }
    functions += invoke();
    return fill(R"(/* @name@: @input@ to @output@, int8. Generated by PatchNAS. */
#include "@name@.h"

#include <string.h>

#include "@name@_weights.h"

#ifdef PATCHNAS_LAYER_HOOK
#define BEFORE_LAYER(layer) PATCHNAS_LAYER_HOOK(layer)
#else
#define BEFORE_LAYER(layer) ((void)0)
#endif
@tables@@helpers@@functions@)",
                {{"name", program_.name},
                 {"input", extents(program_.network.input)},
                 {"output", extents(program_.network.output())},
                 {"tables", tables()},
                 {"helpers", helpers_for(functions)},
                 {"functions", functions}});
  }

 private:
  static bool calls(const std::string& text, std::string_view call) {
    for (std::size_t at = text.find(call); at != std::string::npos; at = text.find(call, at + 1)) {
      if (std::string_view(" (&").find(text[at - 1]) != std::string_view::npos) {
        return true;
      }
    }
    return false;
  }

  static std::string helpers_for(const std::string& functions) {
    std::string text;
    for (const Helper& helper : kHelpers) {
      if (calls(functions, helper.call)) {
        text += helper.definition;
      }
    }
    return text;
  }

  // ----- tables of the segments

  static std::string table_name(const SegmentGeometry& geometry, Axis axis) {
    return "layers_" + number(geometry.segment().first_layer) + "_to_" +
           number(geometry.segment().end_layer - 1) + (axis == Axis::kRows ? "_rows" : "_cols");
  }

  static std::string table(const SegmentGeometry& geometry, Axis axis) {
    const Segment& segment = geometry.segment();
    const int tiles = axis == Axis::kRows ? segment.grid.rows : segment.grid.cols;
    std::string text = fill("\nstatic const span @name@[@tiles@][@layers@] = {\n",
                            {{"name", table_name(geometry, axis)},
                             {"tiles", number(tiles)},
                             {"layers", number(segment.end_layer - segment.first_layer)}});
    for (int tile = 0; tile < tiles; ++tile) {
      text += "  {";
      for (int layer = segment.first_layer; layer < segment.end_layer; ++layer) {
        const LayerSpan& span = geometry.span(axis, layer, tile);
        text += layer == segment.first_layer ? "{" : ", {";
        text += number(span.computed.begin) + ", " + number(span.computed.end) + ", " +
                number(span.window.begin) + ", " + number(span.window.end) + "}";
      }
      text += "},\n";
    }
    return text + "};\n";
  }

  std::string tables() const {
    if (program_.segments.empty()) {
      return "";
    }
    std::string text = R"(
/* Rows (or columns) of a layer's output in one patch: those that are computed, and those that its
 * buffer holds. The tables below have them for each patch and each layer of a patch stage. */
typedef struct span {
  uint16_t computed_begin, computed_end, window_begin, window_end;
} span;
)";
    for (const SegmentGeometry& geometry : program_.segments) {
      text += table(geometry, Axis::kRows) + table(geometry, Axis::kCols);
    }
    return text;
  }

  // ----- one layer

  std::string place(std::int64_t offset) const {
    return offset == 0 ? "arena" : "arena + " + number(offset);
  }

  bool is_callers_image(TensorId tensor) const {
    return tensor == kImage && !program_.reads_by_callback();
  }

  // Where the bytes of a tensor are.
  std::string data(TensorId tensor) const {
    return is_callers_image(tensor) ? "image" : place(program_.plan.tensor(tensor).offset_bytes);
  }

  bool holds_patch_of_image(const Run& run) const {
    return run.segment != nullptr && program_.image_is_windowed &&
           run.segment == &program_.segments.front();
  }

  static bool is_inside(const Run& run, TensorId tensor) {
    return run.segment != nullptr && tensor > run.first_layer && tensor <= run.end_layer;
  }

  // "&rows[3], &cols[3]"
  static std::string spans(const Run& run, int layer) {
    const std::string index = number(layer - run.first_layer);
    return "&rows[" + index + "], &cols[" + index + "]";
  }

  std::string window(const Run& run, TensorId tensor) const {
    const TensorShape& shape = program_.network.shape(tensor);
    if (is_inside(run, tensor)) {
      return "part(" + data(tensor) + ", " + spans(run, tensor - 1) + ", " +
             number(shape.channels) + ")";
    }
    if (tensor == kImage && holds_patch_of_image(run)) {
      return "image";
    }
    return "whole(" + data(tensor) + ", " + number(shape.width) + ", " + number(shape.channels) +
           ")";
  }

  std::string rect(const Run& run, int layer) const {
    const TensorShape& shape = program_.layer(layer).output;
    return run.segment != nullptr
               ? "computed(" + spans(run, layer) + ")"
               : "everything(" + number(shape.height) + ", " + number(shape.width) + ")";
  }

  std::string layer_call(const Run& run, int layer) const {
    return program_.layer(layer).kind == LayerKind::kSoftmax ? softmax_call(run, layer)
                                                             : wrapped(kernel_call(layer), 4);
  }

  // Whether the layer computes a rectangle of its output, and not always all of it.
  static bool has_rect(const Run& run, LayerKind kind) {
    return kind == LayerKind::kSoftmax ? run.segment != nullptr
                                       : kind != LayerKind::kFullyConnected;
  }

  std::string kernel_call(int layer) const {
    const Layer& l = program_.layer(layer);
    const auto constant = [&](const char* kind) {
      return std::string("&") + program_.constant(layer, kind);
    };
    const auto windowed = [&](const std::string& function, const std::string& arguments) {
      return "patchnas_" + function + "(" + arguments + ", &in, &out, rect";
    };
    const std::string kernel_and_weights = constant("kernel") + ", " + constant("weights");
    const ActivationClamp& clamp = program_.quantised.layers[static_cast<std::size_t>(layer)].clamp;
    const std::string kernel_and_clamp =
        constant("kernel") + ", " + number(clamp.min) + ", " + number(clamp.max);
    switch (l.kind) {
      case LayerKind::kConv2d:
        return (is_pointwise(l) ? windowed("pointwise", constant("weights"))
                                : windowed("convolve", kernel_and_weights)) +
               ");";
      case LayerKind::kDepthwiseConv2d: {
        const int scratch = program_.plan.scratch_buffer[static_cast<std::size_t>(layer)];
        return scratch == kNoBuffer
                   ? windowed("depthwise", kernel_and_weights) + ");"
                   : windowed("depthwise_in_place", kernel_and_weights) + ", " +
                         place(program_.plan.buffers[static_cast<std::size_t>(scratch)]
                                   .offset_bytes) +
                         ");";
      }
      case LayerKind::kAdd:
        return "patchnas_add(" + constant("scales") + ", &in, &second, &out, rect);";
      case LayerKind::kAveragePool:
        return windowed("average_pool", kernel_and_clamp) + ");";
      case LayerKind::kMaxPool:
        return windowed("max_pool", kernel_and_clamp) + ");";
      case LayerKind::kFullyConnected:
        return "patchnas_fully_connected(" + constant("weights") + ", in.data, " +
               number(program_.network.shape(l.inputs[0]).elements()) + ", out.data, " +
               number(l.output.channels) + ");";
      case LayerKind::kSoftmax:
        break;
    }
    return "";
  }

  std::string softmax_call(const Run& run, int layer) const {
    const SoftmaxArithmetic& softmax =
        program_.quantised.layers[static_cast<std::size_t>(layer)].softmax;
    const std::string arguments = number(softmax.difference.multiplier) + ", " +
                                  number(softmax.difference.shift) + ", " +
                                  number(softmax.smallest_difference);
    const TensorShape& shape = program_.layer(layer).output;
    if (run.segment == nullptr) {
      return wrapped("patchnas_softmax(" + arguments + ", in.data, out.data, " +
                         number(shape.pixels()) + ", " + number(shape.channels) + ");",
                     4);
    }
    return fill(R"(for (int32_t row = rect.row_begin; row < rect.row_end; ++row) {
      patchnas_softmax(@arguments@, pixel(&in, row, rect.col_begin),
                       pixel(&out, row, rect.col_begin), rect.col_end - rect.col_begin, @channels@);
    })",
                {{"arguments", arguments}, {"channels", number(shape.channels)}});
  }

  std::string layer_block(const Run& run, int layer) const {
    const Layer& l = program_.layer(layer);
    std::string text = fill("  { /* @index@ @name@: @kind@ @input@ to @output@ */\n",
                            {{"index", number(layer)},
                             {"name", comment_text(program_.network.layer_name(layer))},
                             {"kind", kind(l)},
                             {"input", extents(program_.network.shape(l.inputs[0]))},
                             {"output", extents(l.output)}});
    const auto declare = [&](const char* name, TensorId tensor) {
      text +=
          std::string("    const patchnas_window ") + name + " = " + window(run, tensor) + ";\n";
    };
    declare("in", l.inputs[0]);
    if (l.input_count() == 2) {
      declare("second", l.inputs[1]);
    }
    declare("out", layer + 1);
    if (has_rect(run, l.kind)) {
      text += "    const patchnas_rect rect = " + rect(run, layer) + ";\n";
    }
    return text + "    BEFORE_LAYER(" + number(layer) + ");\n    " + layer_call(run, layer) +
           "\n  }\n";
  }

  static std::string kind(const Layer& layer) {
    std::string text(to_string(layer.kind));
    if (layer.kind != LayerKind::kAdd && layer.kind != LayerKind::kFullyConnected &&
        layer.kind != LayerKind::kSoftmax) {
      text += " " + number(layer.kernel.height) + "x" + number(layer.kernel.width);
      if (layer.kernel.stride_h != 1 || layer.kernel.stride_w != 1) {
        text += " stride " + number(layer.kernel.stride_h) + "x" + number(layer.kernel.stride_w);
      }
    }
    return text;
  }

  // ----- functions

  bool reads_callers_image(const Run& run) const {
    for (int layer = run.first_layer; layer < run.end_layer; ++layer) {
      const auto& inputs = program_.layer(layer).inputs;
      if (is_callers_image(inputs[0]) || (inputs[1] != kNoTensor && is_callers_image(inputs[1]))) {
        return true;
      }
    }
    return false;
  }

  static std::string function_name(const Run& run) {
    return std::string(run.segment != nullptr ? "patch_of_layers_" : "layers_") +
           number(run.first_layer) + "_to_" + number(run.end_layer - 1);
  }

  // Declared and passed in the same order.
  std::string parameters(const Run& run, bool with_types) const {
    std::string text = with_types ? "int8_t* arena" : "arena";
    if (reads_callers_image(run)) {
      text += with_types ? ", const int8_t* image" : ", image";
    }
    if (holds_patch_of_image(run)) {
      text += with_types ? ", " + program_.name + "_read read, void* context" : ", read, context";
    }
    if (run.segment != nullptr) {
      text += with_types ? ",\n    const span* rows, const span* cols"
                         : ", " + table_name(*run.segment, Axis::kRows) + "[row], " +
                               table_name(*run.segment, Axis::kCols) + "[col]";
    }
    return text;
  }

  // The rectangle of the image that a patch needs: what its readers need together.
  std::string read_of_image(const Run& run) const {
    std::string text;
    for (int layer = run.first_layer; layer < run.end_layer; ++layer) {
      const Layer& l = program_.layer(layer);
      for (int j = 0; j < l.input_count(); ++j) {
        if (l.inputs[static_cast<std::size_t>(j)] != kImage) {
          continue;
        }
        std::string read;
        switch (l.kind) {
          case LayerKind::kAdd:
            read = "computed(" + spans(run, layer) + ")";
            break;
          case LayerKind::kFullyConnected:
          case LayerKind::kSoftmax:
            read = "everything(" + number(program_.network.input.height) + ", " +
                   number(program_.network.input.width) + ")";
            break;
          default:
            read = is_pointwise(l) ? "computed(" + spans(run, layer) + ")"
                                   : "read_by_window(&" + program_.constant(layer, "kernel") +
                                         ", " + spans(run, layer) + ")";
        }
        text = text.empty() ? read : "both(" + text + ", " + read + ")";
      }
    }
    return text;
  }

  std::string function(const Run& run) const {
    std::string body;
    if (holds_patch_of_image(run)) {
      body += fill(R"(  const patchnas_rect needed = @needed@;
  const patchnas_window image = {@data@, needed.row_begin, needed.col_begin,
                                 needed.col_end - needed.col_begin, @channels@};
  BEFORE_LAYER(@NAME@_LAYERS);
  read(context, needed.row_begin, needed.row_end, needed.col_begin, needed.col_end, image.data);
)",
                   {{"needed", read_of_image(run)},
                    {"data", data(kImage)},
                    {"channels", number(program_.network.input.channels)},
                    {"NAME", program_.upper}});
    }
    for (int layer = run.first_layer; layer < run.end_layer; ++layer) {
      const bool is_computed = run.segment == nullptr || run.segment->computed_pixels(layer) > 0;
      body += is_computed ? layer_block(run, layer) : "";
    }
    return "\nstatic void " + function_name(run) + "(" + parameters(run, true) + ") {\n" + body +
           "}\n";
  }

  std::string call(const Run& run) const {
    const std::string call = function_name(run) + "(" + parameters(run, false) + ");\n";
    if (run.segment == nullptr) {
      return "  " + call;
    }
    return fill(R"(  for (int row = 0; row < @rows@; ++row) {
    for (int col = 0; col < @cols@; ++col) {
      @call@    }
  }
)",
                {{"rows", number(run.segment->grid().rows)},
                 {"cols", number(run.segment->grid().cols)},
                 {"call", call}});
  }

  std::string invoke() const {
    std::string body;
    if (program_.reads_by_callback() && !program_.image_is_windowed) {
      body += fill(R"(  BEFORE_LAYER(@NAME@_LAYERS);
  read(context, 0, @height@, 0, @width@, @data@);
)",
                   {{"NAME", program_.upper},
                    {"height", number(program_.network.input.height)},
                    {"width", number(program_.network.input.width)},
                    {"data", data(kImage)}});
    }
    for (const Run& run : runs_) {
      body += call(run);
    }
    const std::string source = program_.reads_by_callback() ? "read" : "image";
    return fill(
        R"(
int8_t* @name@_output(int8_t* arena) {
  return @output@;
}
@input_function@
int @name@_invoke(int8_t* arena, @parameters@, int8_t* output) {
#ifdef PATCHNAS_CHECKS
  if (arena == NULL || (uintptr_t)arena % @NAME@_ARENA_ALIGNMENT != 0) {
    return @NAME@_BAD_ARENA;
  }
  if (@source@ == NULL) {
    return @NAME@_NO_IMAGE;
  }
#endif
@body@  BEFORE_LAYER(@NAME@_LAYERS);
  if (output != NULL) {
    memcpy(output, @output@, @NAME@_OUTPUT_BYTES);
  }
  return @NAME@_OK;
}
)",
        {{"name", program_.name},
         {"NAME", program_.upper},
         {"output", data(program_.network.layer_count())},
         {"input_function", input_function()},
         {"parameters", program_.reads_by_callback() ? program_.name + "_read read, void* context"
                                                     : "const int8_t* image"},
         {"source", source},
         {"body", body}});
  }

  std::string input_function() const {
    return program_.reads_by_callback()
               ? ""
               : fill(R"(
int8_t* @name@_input(int8_t* arena) {
  return @place@;
}
)",
                      {{"name", program_.name},
                       {"place", place(program_.plan.tensor(kImage).offset_bytes)}});
  }

  const CProgram& program_;
  std::vector<Run> runs_;
};

}  // namespace

std::string emit_program(const CProgram& program) { return ProgramEmitter(program).emit(); }

}  // namespace patchnas
