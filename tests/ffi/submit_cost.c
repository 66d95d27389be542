/* What submitting costs the trainer's thread: 50 tensors of 1024 x 1024 floats a commit, beside a memcpy of the same bytes into memory
 * that is there already, alternately. Prints medians over the commits; a benchmark, nothing is judged. */
#define _POSIX_C_SOURCE 200809L
#include <eigenscope/eigenscope.h>

#include <time.h>

#include "check.h"

enum { TENSORS = 50, SIDE = 1024, COMMITS = 31 };

static double at(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now(void) { return at(CLOCK_MONOTONIC); }

/* Waking the monitor's thread may cost the trainer's its turn on a busy machine; its own work is CPU time. */
static double worked(void) { return at(CLOCK_THREAD_CPUTIME_ID); }

static int ascending(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

static double median(double *values) {
  qsort(values, COMMITS, sizeof *values, ascending);
  return values[COMMITS / 2];
}

int main(void) {
  static double copy[COMMITS], submit[COMMITS], commit[COMMITS];
  static char names[TENSORS][32];
  const int64_t shape[2] = {SIDE, SIDE};
  const size_t bytes = sizeof(float) * SIDE * SIDE;
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_monitor *monitor = NULL;
  egs_error *error = NULL;
  float *weights[TENSORS], *copies[TENSORS];
  int32_t idle;
  int i, k, n;
  for (i = 0; i < TENSORS; i++) {
    sprintf(names[i], "layer%d.weight", i);
    weights[i] = (float *)malloc(bytes);
    copies[i] = (float *)malloc(bytes);
    for (k = 0; k < SIDE * SIDE; k++) weights[i][k] = copies[i][k] = (float)noise();
  }
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  OK(egs_monitor_open(NULL, &monitor, &error));
  for (n = 0; n < COMMITS; n++) {
    double start = now();
    for (i = 0; i < TENSORS; i++) memcpy(copies[i], weights[i], bytes);
    copy[n] = now() - start;
    start = now();
    for (i = 0; i < TENSORS; i++) {
      tensor.data = weights[i];
      OK(egs_monitor_submit(monitor, names[i], &tensor, EGS_ROLE_WEIGHT, &error));
    }
    submit[n] = now() - start;
    start = worked();
    OK(egs_monitor_commit(monitor, (uint64_t)n, n, 0, &error));
    commit[n] = worked() - start;
    /* As in a trainer, whose step takes longer than the analysis that the budget allows. */
    OK(egs_monitor_wait(monitor, 600000, &idle, &error));
  }
  egs_monitor_close(monitor);
  {
    const double memcpy_ms = 1e3 * median(copy), submit_ms = 1e3 * median(submit), commit_ms = 1e3 * median(commit);
    const double allowed_ms = 1.5 * memcpy_ms + TENSORS * 20e-3;
    printf("memcpy of %d x %zu KiB: %.2f ms; submit: %.2f ms (%.2f times; 1.5 times and 20 us each are %.2f ms); commit: %.3f ms of CPU\n",
           TENSORS, bytes / 1024, memcpy_ms, submit_ms, submit_ms / memcpy_ms, allowed_ms, commit_ms);
  }
  for (i = 0; i < TENSORS; i++) free(weights[i]), free(copies[i]);
  return checked("submit_cost");
}
