#include "runtime/finish_sums.h"

void patchnas_average_of_sums(const int32_t* sums, int32_t count, int32_t clamp_min,
                              int32_t clamp_max, int8_t* output, int32_t channels) {
  int32_t c = 0;
#if defined(PATCHNAS_MVE)
  if (patchnas_mve_can_average(count)) {
    const patchnas_mve_average average = patchnas_mve_average_of(count, clamp_min, clamp_max);
    for (; c < channels; c += 4) {
      const mve_pred16_t lanes = vctp32q((uint32_t)(channels - c));
      vstrbq_p_s32(output + c,
                   patchnas_mve_rounded_averages(average, vldrwq_z_s32(sums + c, lanes)), lanes);
    }
  }
#endif
  for (; c < channels; ++c) {
    output[c] = patchnas_rounded_average(sums[c], count, clamp_min, clamp_max);
  }
}
