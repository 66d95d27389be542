/* Wrong on purpose, to show that the nets catch: argv[1] says how. Ends with 0 where nothing caught it. */
#define _POSIX_C_SOURCE 200809L
#include <eigenscope/eigenscope.h>

#include <limits.h>
#include <pthread.h>

#include "check.h"

static int told; /* written by the callback and by main, without a lock */
static void on_epoch(const egs_report *report, const egs_verdict *verdict, void *user) {
  (void)report, (void)verdict, (void)user;
  told++;
}

int main(int argc, char **argv) {
  const char *how = argc > 1 ? argv[1] : "";
  const int64_t honest[2] = {20, 10}, claimed[2] = {21, 10};
  egs_monitor_options options = EGS_INIT(egs_monitor_options);
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_monitor *monitor = NULL;
  egs_report *report = NULL;
  float *weights = (float *)malloc(200 * sizeof *weights);
  int32_t idle = 0;
  int i;
  for (i = 0; i < 200; i++) weights[i] = (float)noise();
  tensor.data = weights;
  tensor.shape = strcmp(how, "overflow") == 0 ? claimed : honest; /* a row more than there is: read inside the library */
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  options.on_epoch = on_epoch;
  if (egs_monitor_open(&options, &monitor, NULL) != EGS_OK) return 2;
  for (i = 0; i < 20; i++) {
    if (egs_monitor_submit(monitor, "fc", &tensor, 0, NULL) != EGS_OK || egs_monitor_commit(monitor, i, 0, 0, NULL) != EGS_OK) return 2;
    if (strcmp(how, "race") == 0) told++;
    if (egs_monitor_wait(monitor, 60000, &idle, NULL) != EGS_OK) return 2;
  }
  /* Never freed; several, since the address of one may be left on the stack. */
  for (i = 0; strcmp(how, "leak") == 0 && i < 10; i++) egs_monitor_report(monitor, &report, NULL);
  report = NULL;
  if (strcmp(how, "undefined") == 0) weights[0] = (float)(INT_MAX - 20 + (idle + (int)strlen(how)) * 100);
  egs_monitor_close(monitor);
  if (strcmp(how, "closed") == 0) egs_monitor_poll(monitor, 0, NULL, NULL);
  free(weights);
  return 0;
}
