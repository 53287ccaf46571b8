#include "runtime/finish_sums.h"

void patchnas_mean_of_sums(const patchnas_mean_scale* scale, const int32_t* sums, int32_t count,
                           int8_t* output, int32_t channels) {
  const int32_t zero_points = count * scale->input_zero_point;
#if defined(PATCHNAS_MVE)
  for (int32_t c = 0; c < channels; c += 4) {
    const mve_pred16_t lanes = vctp32q((uint32_t)(channels - c));
    vstrbq_p_s32(output + c,
                 patchnas_mve_scaled_sums(scale, zero_points, vldrwq_z_s32(sums + c, lanes)),
                 lanes);
  }
#else
  for (int32_t c = 0; c < channels; ++c) {
    output[c] = patchnas_scaled_sum(scale, zero_points, sums[c]);
  }
#endif
}
