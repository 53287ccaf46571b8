/* kernel_cases FILE, on an emulated processor: prints the first call of a kernel whose answer is
 * not the reference's. */
#include "board.h"
#include "tests/runtime/run_kernel_cases.h"

static int32_t words[3 << 18];

int main(int argc, char** argv) {
  const int32_t read = argc == 2 ? board_read_file(argv[1], words, sizeof words) : -1;
  if (read < 4 || read == (int32_t)sizeof words) {
    board_write("kernel_cases: no file, or one that is too large\n");
    return 2;
  }
  const kernel_case_result result = run_kernel_cases(words);
  board_write_number((uint64_t)result.cases);
  board_write(" cases, ");
  board_write_number((uint64_t)result.failed);
  board_write(" failed\n");
  if (result.failed != 0) {
    board_write("first: case ");
    board_write_number((uint64_t)result.first);
    board_write(" of kernel ");
    board_write_number((uint64_t)result.first_kind);
    board_write("\n");
  }
  const int32_t moves_failed = run_move_cases();
  board_write_number((uint64_t)moves_failed);
  board_write(" moves failed\n");
  return result.failed != 0 || result.cases == 0 || moves_failed != 0;
}
