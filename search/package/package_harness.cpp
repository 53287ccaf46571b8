#include "search/package/package_harness.h"

#include "deploy/package/text_template.h"
#include "memory_models/memory_models.h"

namespace patchnas {
namespace {

constexpr std::string_view kMain = R"(#include <string.h>

#include "@name@.h"
#include "board.h"

enum { kImages = @images@ };
int8_t package_arena[@NAME@_ARENA_BYTES] __attribute__((aligned(@NAME@_ARENA_ALIGNMENT)));
enum { kInputBytes = @input_bytes@ }; /* of all inputs */
static int8_t inputs[kImages * kInputBytes];
static int8_t outputs[kImages * @NAME@_OUTPUT_BYTES];

static void print(const char* key, uint64_t number) {
  board_write(key);
  board_write_number(number);
  board_write("\n");
}

#ifdef PATCHNAS_LAYER_HOOK
/* The hook's own instructions between its two readings of the counter are left out; those around
 * them are measured once and subtracted. */
static uint64_t spent[@NAME@_LAYERS + 1];
static uint64_t since, cost;
static int current = @NAME@_LAYERS;

void harness_layer(int layer) {
  const uint64_t passed = board_instructions() - since;
  spent[current] += passed > cost ? passed - cost : 0;
  current = layer;
  since = board_instructions();
}

static void measure_hook(void) {
  since = board_instructions();
  harness_layer(@NAME@_LAYERS);
  cost = spent[@NAME@_LAYERS];
  spent[@NAME@_LAYERS] = 0;
}

static void begin_layers(void) {
  current = @NAME@_LAYERS;
  since = board_instructions();
}

static void print_layers(void) {
  for (int layer = 0; layer <= @NAME@_LAYERS; ++layer) {
    board_write("layer ");
    board_write_number((uint64_t)layer);
    print(" ", spent[layer]);
  }
}
#else
static void measure_hook(void) {}
static void begin_layers(void) {}
static void print_layers(void) {}
#endif

#ifdef PATCHNAS_COUNT_MACS
uint64_t patchnas_executed_macs;
static void print_macs(void) { print("macs ", patchnas_executed_macs); }
#else
static void print_macs(void) {}
#endif

@run_image@
int main(int argc, char** argv) {
  (void)argc, (void)argv;
  const int32_t bytes = board_read_file("input.bin", inputs, (int32_t)sizeof inputs);
  if (bytes < 0) {
    board_write("cannot read input.bin\n");
    return 1;
  }
  const int images = (int)(bytes / kInputBytes);
  uint64_t instructions = 0;
  uint32_t stack = 0;
  measure_hook();
  for (int i = 0; i < images; ++i) {
    if (i == 0) {
      board_mark_stack();
    }
    uint64_t counted = 0;
    const int status = run_image(inputs + i * kInputBytes, outputs + i * @NAME@_OUTPUT_BYTES, &counted);
    if (status != @NAME@_OK) {
      print("status ", (uint64_t)status);
      return 1;
    }
    instructions += counted;
    if (i == 0) {
      stack = board_stack_bytes();
    }
  }
  if (board_write_file("output.bin", outputs, images * @NAME@_OUTPUT_BYTES) != 0) {
    board_write("cannot write output.bin\n");
    return 1;
  }
  print("instructions ", instructions);
  print("stack ", stack);
  print_layers();
  print_macs();
  return 0;
}
)";

constexpr std::string_view kRunResident =
    R"(static int run_image(const int8_t* image, int8_t* output, uint64_t* counted) {
  int8_t* const place = @name@_input(package_arena);
  memcpy(place, image, @NAME@_INPUT_BYTES);
  begin_layers();
  const uint64_t before = board_instructions();
  const int status = @name@_invoke(package_arena, place, @further@output);
  *counted = board_instructions() - before;
  return status;
}
)";

// Counting what the callback executes would charge the package for a camera.
constexpr std::string_view kRunStreamed = R"(typedef struct source {
  const int8_t* image;
  uint64_t reading;
} source;

static void read_image(void* context, int32_t row_begin, int32_t row_end, int32_t col_begin,
                       int32_t col_end, int8_t* destination) {
  source* const from = (source*)context;
  const uint64_t before = board_instructions();
  const int32_t bytes = (col_end - col_begin) * @NAME@_INPUT_CHANNELS;
  for (int32_t row = row_begin; row < row_end; ++row) {
    memcpy(destination, from->image + (row * @NAME@_INPUT_WIDTH + col_begin) * @NAME@_INPUT_CHANNELS,
           (size_t)bytes);
    destination += bytes;
  }
  from->reading += board_instructions() - before;
}

static int run_image(const int8_t* image, int8_t* output, uint64_t* counted) {
  source from = {image, 0};
  begin_layers();
  const uint64_t before = board_instructions();
  const int status = @name@_invoke(package_arena, read_image, &from, @further@output);
  *counted = board_instructions() - before - from.reading;
  return status;
}
)";

constexpr std::string_view kHostBoard = R"(#include "board.h"

#include <stdio.h>
#include <stdlib.h>

void board_write(const char* text) { fputs(text, stdout); }

void board_write_number(uint64_t number) { printf("%llu", (unsigned long long)number); }

int32_t board_read_file(const char* name, void* bytes, int32_t capacity) {
  FILE* const file = fopen(name, "rb");
  if (file == NULL) {
    return -1;
  }
  const size_t count = fread(bytes, 1, (size_t)capacity, file);
  fclose(file);
  return (int32_t)count;
}

int32_t board_write_file(const char* name, const void* bytes, int32_t count) {
  FILE* const file = fopen(name, "wb");
  if (file == NULL) {
    return -1;
  }
  const size_t written = fwrite(bytes, 1, (size_t)count, file);
  return fclose(file) == 0 && written == (size_t)count ? 0 : -1;
}

void board_exit(int code) { exit(code); }

uint64_t board_instructions(void) { return 0; }

/* The part of the stack that is marked lies below the frame of the caller. */
enum { kMarkedBytes = 256 * 1024, kMark = 0x5a };
static uintptr_t marked_end;

__attribute__((noinline)) void board_mark_stack(void) {
  volatile unsigned char marked[kMarkedBytes];
  for (int i = 0; i < kMarkedBytes; ++i) {
    marked[i] = kMark;
  }
  marked_end = (uintptr_t)(marked + kMarkedBytes);
}

__attribute__((noinline)) uint32_t board_stack_bytes(void) {
  const volatile unsigned char* byte = (const volatile unsigned char*)(marked_end - kMarkedBytes);
  uint32_t unused = 0;
  while (unused < kMarkedBytes && byte[unused] == kMark) {
    ++unused;
  }
  return kMarkedBytes - unused;
}
)";

}  // namespace

std::string harness_main(const PackageFolder& package, int images) {
  std::string upper = package.name;
  for (char& c : upper) {
    c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  std::string further;
  std::int64_t offset = package.inputs.front().elements;
  for (std::size_t i = 1; i < package.inputs.size(); ++i) {
    further += "image + " + std::to_string(offset) + ", ";
    offset += package.inputs[i].elements;
  }
  const std::string run_image =
      fill(package.input == InputMode::kResident ? kRunResident : kRunStreamed,
           {{"name", package.name}, {"NAME", upper}, {"further", further}});
  return fill(kMain, {{"name", package.name},
                      {"NAME", upper},
                      {"images", std::to_string(images)},
                      {"input_bytes", std::to_string(package.input_bytes)},
                      {"run_image", run_image}});
}

std::string harness_host_board() { return std::string(kHostBoard); }

}  // namespace patchnas
