#include "deploy/c_program_helpers.h"

#include <array>
#include <string_view>

namespace patchnas {
namespace {

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

bool calls(const std::string& text, std::string_view call) {
  for (std::size_t at = text.find(call); at != std::string::npos; at = text.find(call, at + 1)) {
    if (std::string_view(" (&").find(text[at - 1]) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::string helpers_for(const std::string& functions) {
  std::string text;
  for (const Helper& helper : kHelpers) {
    if (calls(functions, helper.call)) {
      text += helper.definition;
    }
  }
  return text;
}

}  // namespace patchnas
