/* The library loaded at run time, used by threads, and closed while they are alive: their exit runs code of the library, which
 * therefore stays. The path is argv[1]. */
#define _GNU_SOURCE
#include <eigenscope/eigenscope.h>

#include <dlfcn.h>
#include <pthread.h>

#include "check.h"

enum { THREADS = 4, ROWS = 60, COLS = 40 };

static struct {
  uint32_t (*abi_version)(void);
  egs_status (*engine_new)(const egs_engine_options *, egs_engine **, egs_error **);
  void (*engine_free)(egs_engine *);
  egs_status (*analyze_tensor)(const egs_engine *, const char *, const egs_tensor *, const egs_analysis_options *, egs_report **,
                               egs_error **);
  egs_status (*report_number)(const egs_report *, size_t, const char *, double *, egs_error **);
  void (*report_free)(egs_report *);
} egs;

static pthread_barrier_t used, closed;
static float weights[ROWS * COLS];

static void *find(void *library, const char *name) {
  void *symbol = dlsym(library, name);
  CHECK(symbol != NULL);
  return symbol;
}

static void *trainer(void *alpha) {
  const int64_t shape[2] = {ROWS, COLS};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine *engine = NULL;
  egs_report *report = NULL;
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  if (egs.engine_new(NULL, &engine, NULL) == EGS_OK
      && egs.analyze_tensor(engine, "fc", &tensor, NULL, &report, NULL) == EGS_OK)
    egs.report_number(report, 0, "alpha", (double *)alpha, NULL);
  egs.report_free(report);
  pthread_barrier_wait(&used);
  pthread_barrier_wait(&closed);
  egs.engine_free(engine); /* even this still works */
  return NULL;
}

int main(int argc, char **argv) {
  pthread_t threads[THREADS];
  double alphas[THREADS] = {0, 0, 0, 0};
  void *library;
  int i, round;
  if (argc < 2) return EXIT_FAILURE;
  for (i = 0; i < ROWS * COLS; i++) weights[i] = (float)noise();
  for (round = 0; round < 3; round++) {
    library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
    if (!library) {
      fprintf(stderr, "%s\n", dlerror());
      return EXIT_FAILURE;
    }
    *(void **)&egs.abi_version = find(library, "egs_abi_version");
    *(void **)&egs.engine_new = find(library, "egs_engine_new");
    *(void **)&egs.engine_free = find(library, "egs_engine_free");
    *(void **)&egs.analyze_tensor = find(library, "egs_analyze_tensor");
    *(void **)&egs.report_number = find(library, "egs_report_number");
    *(void **)&egs.report_free = find(library, "egs_report_free");
    CHECK(egs.abi_version() == EGS_ABI_VERSION);
    pthread_barrier_init(&used, NULL, THREADS + 1);
    pthread_barrier_init(&closed, NULL, THREADS + 1);
    for (i = 0; i < THREADS; i++) CHECK(pthread_create(&threads[i], NULL, trainer, &alphas[i]) == 0);
    pthread_barrier_wait(&used);
    CHECK(dlclose(library) == 0);
    pthread_barrier_wait(&closed);
    for (i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    for (i = 0; i < THREADS; i++) CHECK(alphas[i] > 1 && alphas[i] == alphas[0]);
  }
  return checked("unload");
}
