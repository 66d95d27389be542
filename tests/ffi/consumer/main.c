/* A program of somebody else: it has the installed package and nothing besides. */
#include <eigenscope/eigenscope.h>

#include <stdio.h>

int main(void) {
  static float weights[64 * 32];
  const int64_t shape[2] = {64, 32};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine *engine = NULL;
  egs_report *report = NULL;
  egs_error *error = NULL;
  uint32_t state = 1;
  double alpha = 0;
  int i;
  for (i = 0; i < 64 * 32; i++) {
    state = state * 1664525u + 1013904223u;
    weights[i] = (float)(state >> 8) / 8388608.0f - 1.0f;
  }
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  if (egs_abi_version() != EGS_ABI_VERSION || egs_engine_new(NULL, &engine, &error) != EGS_OK
      || egs_analyze_tensor(engine, "fc.weight", &tensor, NULL, &report, &error) != EGS_OK
      || egs_report_mean(report, "alpha", &alpha, &error) != EGS_OK || !(alpha > 1)) {
    fprintf(stderr, "%s (%s)\n", egs_error_message(error), egs_error_advice(error));
    return 1;
  }
  printf("%s: alpha %.6f\n", egs_version_string(), alpha);
  egs_report_free(report);
  egs_engine_free(engine);
  return 0;
}
