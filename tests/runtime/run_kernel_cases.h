/* Runs calls of kernels and compares what they write. */
#ifndef PATCHNAS_RUN_KERNEL_CASES_H
#define PATCHNAS_RUN_KERNEL_CASES_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct kernel_case_result {
  int32_t cases;
  int32_t failed;     /* how many */
  int32_t first;      /* number of the first that failed; -1 if none */
  int32_t first_kind; /* its kernel, numbered as in kernel_call.h */
} kernel_case_result;

/* `words` as written by kernel_cases(). */
kernel_case_result run_kernel_cases(const int32_t* words);

/* Moves of all lengths, distances and alignments; how many moved something else. */
int32_t run_move_cases(void);

#ifdef __cplusplus
}
#endif
#endif
