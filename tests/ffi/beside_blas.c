/* A process that holds the real OpenBLAS and uses it before, beside and after ours: both give the eigenvalues of the same matrix. */
#include <eigenscope/eigenscope.h>

#include <math.h>

#include "check.h"

enum { ROWS = 120, COLS = 80 };

void dgemm_(const char *, const char *, const int *, const int *, const int *, const double *, const double *, const int *,
            const double *, const int *, const double *, double *, const int *);
void dsyevd_(const char *, const char *, const int *, double *, const int *, double *, double *, const int *, int *, const int *, int *);
char *openblas_get_config(void);

static double weights[ROWS * COLS], gram[COLS * COLS], theirs[COLS];

/* Eigenvalues of W'W / ROWS by their dgemm and dsyevd. Row-major W is column-major W'. */
static void by_openblas(void) {
  static double work[1 + 6 * COLS + 2 * COLS * COLS];
  static int integers[3 + 5 * COLS];
  const int n = COLS, k = ROWS, lwork = sizeof work / sizeof *work, liwork = sizeof integers / sizeof *integers;
  const double scale = 1.0, zero = 0;
  int info = -1;
  dgemm_("N", "T", &n, &n, &k, &scale, weights, &n, weights, &n, &zero, gram, &n);
  dsyevd_("N", "L", &n, gram, &n, theirs, work, &lwork, integers, &liwork, &info);
  CHECK(info == 0);
}

int main(void) {
  const int64_t shape[2] = {ROWS, COLS};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine *engine = NULL;
  egs_esd *esd = NULL;
  egs_error *error = NULL;
  int i, round;
  for (i = 0; i < ROWS * COLS; i++) weights[i] = noise();
  printf("%s\n", openblas_get_config());
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F64;
  OK(egs_engine_new(NULL, &engine, &error));
  for (round = 0; round < 3; round++) {
    by_openblas();
    OK(egs_esd_of_tensor(engine, "fc", &tensor, NULL, &esd, &error));
    CHECK(egs_esd_count(esd) == COLS);
    for (i = 0; i < COLS; i++) CHECK_NEAR(egs_esd_values(esd)[i], theirs[i], 1e-10 * theirs[COLS - 1]);
    egs_esd_free(esd);
  }
  egs_engine_free(engine);
  return checked("beside_blas");
}
