/* Objects shared by threads as the header allows: analyses on one engine, reads of one report, submits and commits to one monitor, with
 * callbacks on its thread. What the callbacks and the main thread share is under a mutex, so that a race detector has nothing to say. */
#define _POSIX_C_SOURCE 200809L
#include <eigenscope/eigenscope.h>

#include <pthread.h>

#include "check.h"

enum { THREADS = 4, ROUNDS = 6, ROWS = 60, COLS = 40 };

static float weights[ROWS * COLS];
static const int64_t shape[2] = {ROWS, COLS};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

struct shared {
  egs_engine *engine;
  egs_report *report;
  egs_monitor *monitor;
  double alpha;
  int failed, epochs, logged, progressed;
};

struct worker {
  struct shared *shared;
  int number;
  float own[ROWS * COLS];
};

static egs_tensor over(const float *data) {
  egs_tensor tensor = EGS_INIT(egs_tensor);
  tensor.data = data;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  return tensor;
}

static void add(int *counter, int amount) {
  pthread_mutex_lock(&mutex);
  *counter += amount;
  pthread_mutex_unlock(&mutex);
}

/* A commit can be empty, as another thread's took the tensors, and the first that is analysed: its report has no rows. */
static void on_epoch(const egs_report *report, const egs_verdict *verdict, void *user) {
  if (report && verdict->fresh == 1) add(&((struct shared *)user)->epochs, 1);
}

static void on_log(int32_t level, const char *target, const char *message, void *user) {
  if (level > 0 && target[0] && message[0]) add(&((struct shared *)user)->logged, 1);
}

/* A callback may use the engine that called it. */
static int32_t on_progress(const egs_progress *progress, void *user) {
  struct shared *shared = (struct shared *)user;
  egs_tensor tensor = over(weights);
  egs_report *report = NULL;
  if (progress->done == 0 || egs_analyze_tensor(shared->engine, "inner", &tensor, NULL, &report, NULL) != EGS_OK) return 1;
  egs_report_free(report);
  add(&shared->progressed, 1);
  return 0;
}

static void *work(void *argument) {
  struct worker *worker = (struct worker *)argument;
  struct shared *shared = worker->shared;
  char name[32];
  int round, failed = 0;
  sprintf(name, "layer%d.weight", worker->number);
  for (round = 0; round < ROUNDS; round++) {
    egs_tensor common = over(weights), own = over(worker->own);
    egs_analysis_options options = EGS_INIT(egs_analysis_options);
    egs_report *report = NULL;
    egs_verdict verdict = EGS_INIT(egs_verdict);
    const char *text;
    double alpha = 0;
    int i;
    options.progress = on_progress;
    options.progress_user = shared;
    failed += egs_analyze_tensor(shared->engine, "fc", &common, &options, &report, NULL) != EGS_OK;
    failed += egs_report_number(report, 0, "alpha", &alpha, NULL) != EGS_OK || alpha != shared->alpha;
    egs_report_free(report);
    failed += egs_report_text(shared->report, 0, "alpha", &text, NULL) != EGS_OK || strtod(text, NULL) != shared->alpha;
    failed += egs_report_json(shared->report, &text, NULL) != EGS_OK || text[0] != '{';
    for (i = 0; i < ROWS * COLS; i++) worker->own[i] = weights[(i + round) % (ROWS * COLS)];
    failed += egs_monitor_submit(shared->monitor, name, &own, EGS_ROLE_WEIGHT, NULL) != EGS_OK;
    /* Another thread may have committed this thread's tensor already. */
    egs_monitor_commit(shared->monitor, (uint64_t)round, round, 0.5, NULL);
    failed += egs_monitor_poll(shared->monitor, 1, &verdict, NULL) != EGS_OK;
  }
  add(&shared->failed, failed);
  return NULL;
}

int main(void) {
  static struct worker workers[THREADS];
  static struct shared shared;
  pthread_t threads[THREADS];
  egs_engine_options options = EGS_INIT(egs_engine_options);
  egs_monitor_options monitored = EGS_INIT(egs_monitor_options);
  egs_counters counters = EGS_INIT(egs_counters);
  egs_tensor tensor = over(weights);
  egs_error *error = NULL;
  int32_t idle = 0;
  int i;
  for (i = 0; i < ROWS * COLS; i++) weights[i] = (float)noise();
  options.threads = 2;
  options.log = on_log;
  options.log_level = EGS_LOG_DEBUG;
  options.log_user = &shared;
  OK(egs_engine_new(&options, &shared.engine, &error));
  OK(egs_analyze_tensor(shared.engine, "fc", &tensor, NULL, &shared.report, &error));
  OK(egs_report_number(shared.report, 0, "alpha", &shared.alpha, &error));
  monitored.engine = shared.engine;
  monitored.threads = 2;
  monitored.on_epoch = on_epoch;
  monitored.user = &shared;
  OK(egs_monitor_open(&monitored, &shared.monitor, &error));
  for (i = 0; i < THREADS; i++) {
    workers[i].shared = &shared;
    workers[i].number = i;
    CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
  }
  for (i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  OK(egs_monitor_wait(shared.monitor, 60000, &idle, &error));
  OK(egs_monitor_counters(shared.monitor, &counters, &error));
  egs_monitor_close(shared.monitor);
  egs_report_free(shared.report);
  egs_engine_free(shared.engine);
  pthread_mutex_lock(&mutex);
  CHECK(idle == 1 && shared.failed == 0 && counters.failed == 0);
  CHECK(counters.analyzed + counters.dropped == counters.commits && counters.commits >= ROUNDS);
  CHECK((uint64_t)shared.epochs == counters.analyzed && shared.logged > 0 && shared.progressed == THREADS * ROUNDS);
  pthread_mutex_unlock(&mutex);
  return checked("threads");
}
