#include "deploy/package/c_program_helpers.h"

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
                              Helper{"combine_with_pixel(", R"(
/* Every pixel of `a` with the same one, which is in memory. */
static NOT_INLINED void combine_with_pixel(const patchnas_combination* combination,
                                           const patchnas_window* a, const int8_t* pixel,
                                           const patchnas_window* output, patchnas_rect computed) {
  patchnas_combination with = *combination;
  with.constants = pixel;
  patchnas_combine(&with, a, 0, output, computed);
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
                              Helper{"kept(", R"(
/* The rows of a tensor that are in memory in one step. */
static patchnas_window kept(const int8_t* data, const held_rows* rows, const span* cols,
                            int32_t channels) {
  const patchnas_window window = {(int8_t*)data, rows->begin, cols->window_begin,
                                  cols->window_end - cols->window_begin, channels};
  return window;
}
)"},
                              Helper{"added(", R"(
/* What one step adds. */
static patchnas_rect added(const held_rows* before, const held_rows* after, const span* cols) {
  const patchnas_rect rect = {before->end, after->end, cols->computed_begin, cols->computed_end};
  return rect;
}
)"},
                              Helper{"has_pixels(", R"(
static int has_pixels(patchnas_rect rect) {
  return rect.row_begin < rect.row_end && rect.col_begin < rect.col_end;
}
)"},
                              Helper{"slide(", R"(
/* Moves the rows that the next step reads to the beginning of their buffer. */
static void slide(int8_t* data, const held_rows* before, const held_rows* after, const span* cols,
                  int32_t channels) {
  const int32_t row_bytes = (cols->window_end - cols->window_begin) * channels;
  if (after->begin > before->begin && after->begin < after->end) {
    patchnas_move(data, data + (after->begin - before->begin) * row_bytes,
                  (after->end - after->begin) * row_bytes);
  }
}
)"},
                              Helper{"sums_at(", R"(
static int32_t* sums_at(int8_t* place) {
  return (int32_t*)(void*)place; /* aligned, as the arena is */
}
)"},
                              Helper{"clear(", R"(
static void clear(int32_t* sums, int32_t count) {
  for (int32_t i = 0; i < count; ++i) {
    sums[i] = 0;
  }
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
