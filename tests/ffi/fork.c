/* A forked child: every function that takes an object of the parent's answers EGS_ERR_INVALID_STATE at once, also while the parent's
 * threads were busy at the moment of the fork; freeing is safe; the child may make its own objects; the parent goes on. */
#define _POSIX_C_SOURCE 200809L
#include <eigenscope/eigenscope.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { SIDE = 300 };

static float weights[SIDE * SIDE];
static const int64_t shape[2] = {SIDE, SIDE};
static egs_error *error = NULL;

static void in_the_child(egs_engine *engine, egs_report *report, egs_esd *esd, egs_monitor *monitor, const egs_tensor *tensor) {
  egs_engine *own_engine = NULL;
  egs_monitor *own_monitor = NULL;
  egs_report *out = NULL;
  egs_esd *spectrum = NULL;
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_counters counters = EGS_INIT(egs_counters);
  egs_fit fit = EGS_INIT(egs_fit);
  egs_monitor_options o = EGS_INIT(egs_monitor_options);
  int32_t idle;
  double value;
  size_t row;
  const char *text;
  REFUSED(egs_analyze_tensor(engine, "fc", tensor, NULL, &out, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_analyze_file(engine, "/nowhere", NULL, &out, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_esd_of_tensor(engine, "fc", tensor, NULL, &spectrum, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_engine_load_plugins(engine, NULL, NULL, &error), EGS_ERR_INVALID_STATE, "forked");
  CHECK(egs_engine_loaders(engine) == 0);
  REFUSED(egs_report_number(report, 0, "alpha", &value, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_report_find(report, "fc", &row, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_report_json(report, &text, &error), EGS_ERR_INVALID_STATE, "forked");
  CHECK(egs_report_rows(report) == 0 && egs_report_column_name(report, 0) == NULL);
  REFUSED(egs_esd_fit(esd, &fit, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_monitor_submit(monitor, "fc", tensor, 0, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_monitor_commit(monitor, 9, 0, 0, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_monitor_poll(monitor, 60000, &verdict, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_monitor_wait(monitor, 60000, &idle, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_monitor_counters(monitor, &counters, &error), EGS_ERR_INVALID_STATE, "forked");
  REFUSED(egs_monitor_history(monitor, &out, &error), EGS_ERR_INVALID_STATE, "forked");
  o.engine = engine;
  REFUSED(egs_monitor_open(&o, &own_monitor, &error), EGS_ERR_INVALID_STATE, "another process");
  egs_report_free(report);
  egs_esd_free(esd);
  egs_monitor_close(monitor);
  egs_engine_free(engine);

  OK(egs_engine_new(NULL, &own_engine, &error));
  OK(egs_analyze_tensor(own_engine, "fc", tensor, NULL, &out, &error));
  OK(egs_report_number(out, 0, "alpha", &value, &error));
  CHECK(value > 1);
  egs_report_free(out);
  OK(egs_monitor_open(NULL, &own_monitor, &error));
  OK(egs_monitor_submit(own_monitor, "fc", tensor, 0, &error));
  OK(egs_monitor_commit(own_monitor, 1, 0, 0, &error));
  OK(egs_monitor_poll(own_monitor, 60000, &verdict, &error));
  CHECK(verdict.fresh == 1);
  egs_monitor_close(own_monitor);
  egs_engine_free(own_engine);
}

int main(void) {
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine *engine = NULL;
  egs_report *report = NULL;
  egs_esd *esd = NULL;
  egs_monitor *monitor = NULL;
  egs_counters counters = EGS_INIT(egs_counters);
  int32_t idle = 0;
  int i, status;
  pid_t child;
  for (i = 0; i < SIDE * SIDE; i++) weights[i] = (float)noise();
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  OK(egs_engine_new(NULL, &engine, &error));
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  OK(egs_esd_of_tensor(engine, "fc", &tensor, NULL, &esd, &error));
  OK(egs_monitor_open(NULL, &monitor, &error));
  for (i = 0; i < 8; i++) {
    /* The monitor is at work when the process forks. */
    OK(egs_monitor_submit(monitor, "fc", &tensor, 0, &error));
    OK(egs_monitor_commit(monitor, i, 0, 0, &error));
    fflush(NULL);
    child = fork();
    if (child == 0) {
      alarm(120); /* a deadlock would be a death by signal */
      in_the_child(engine, report, esd, monitor, &tensor);
      _exit(failures ? 1 : 0);
    }
    CHECK(child > 0 && waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  }
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  OK(egs_monitor_counters(monitor, &counters, &error));
  CHECK(idle == 1 && counters.commits == 8 && counters.analyzed + counters.dropped == 8 && counters.failed == 0);
  egs_report_free(report);
  egs_esd_free(esd);
  egs_monitor_close(monitor);
  egs_engine_free(engine);
  return checked("fork");
}
