/* The contract of monitors: happy path, wrong order, NULLs, unknown flags, callbacks, ownership, rules. */
#include <eigenscope/dlpack.h>
#include <eigenscope/eigenscope.h>

#include <math.h>

#include "check.h"

enum { ROWS = 96, COLS = 64 };

static float weights[ROWS * COLS];
static const int64_t shape[2] = {ROWS, COLS};
static egs_error *error = NULL;

static egs_tensor dense(void) {
  egs_tensor tensor = EGS_INIT(egs_tensor);
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  return tensor;
}

static void fill(double scale) {
  int i;
  for (i = 0; i < ROWS * COLS; i++) weights[i] = (float)(scale * noise());
}

/* One commit of "fc.weight", analysed. */
static egs_verdict committed(const egs_monitor *monitor, uint64_t step) {
  egs_tensor tensor = dense();
  egs_verdict verdict = EGS_INIT(egs_verdict);
  OK(egs_monitor_submit(monitor, "fc.weight", &tensor, EGS_ROLE_WEIGHT, &error));
  OK(egs_monitor_commit(monitor, step, (double)step / 10, 0.5, &error));
  OK(egs_monitor_poll(monitor, 60000, &verdict, &error));
  CHECK(verdict.fresh == 1 && verdict.step == step);
  return verdict;
}

static void refusals(void) {
  egs_monitor *monitor = NULL;
  egs_monitor_options o = EGS_INIT(egs_monitor_options);
  egs_analysis_options analysis = EGS_INIT(egs_analysis_options);
  egs_multiplier_options m = EGS_INIT(egs_multiplier_options);
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_counters counters = EGS_INIT(egs_counters);
  egs_report *report = NULL;
  egs_tensor tensor = dense();
  int64_t million[2] = {1000000, 1000000}, still[2] = {0, 0};
  int32_t idle = 9;
  size_t count = 9;
  float factor;
  REFUSED(egs_monitor_open(NULL, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  o.struct_size = 12;
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  o.struct_size = sizeof o;
  o.flags = 1024;
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "unknown bits");
  o.flags = 0;
  o.rules_on = 1u << 30;
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "rules_on");
  o.rules_on = o.rules_off = EGS_NON_FINITE;
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "both");
  o.rules_on = o.rules_off = 0;
  o.threads = 1000000;
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "threads");
  o.threads = 0;
  o.analysis = &analysis;
  analysis.format = "onnx";
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "format");
  analysis.format = NULL;
  o.json = "{\"rules\": {\"over_trained\": {\"bellow\": 1}}}";
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "'bellow'");
  o.json = "{\"rule\": {}}";
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "unknown key 'rule'");
  CHECK(monitor == NULL);
  OK(egs_monitor_open(NULL, &monitor, &error));

  REFUSED(egs_monitor_commit(monitor, 1, 0, 0, &error), EGS_ERR_INVALID_STATE, "nothing was submitted");
  REFUSED(egs_monitor_submit(monitor, NULL, &tensor, 0, &error), EGS_ERR_INVALID_ARGUMENT, "name is NULL");
  REFUSED(egs_monitor_submit(monitor, "a", NULL, 0, &error), EGS_ERR_INVALID_ARGUMENT, "NULL");
  REFUSED(egs_monitor_submit(monitor, "a", &tensor, 3, &error), EGS_ERR_INVALID_ARGUMENT, "role");
  REFUSED(egs_monitor_submit(monitor, "a", &tensor, 1u << 31, &error), EGS_ERR_INVALID_ARGUMENT, "role");
  REFUSED(egs_monitor_submit(NULL, "a", &tensor, 0, &error), EGS_ERR_INVALID_ARGUMENT, "monitor is NULL");
  tensor.shape = million;
  tensor.strides = still;
  REFUSED(egs_monitor_submit(monitor, "a", &tensor, 0, &error), EGS_ERR_UNSUPPORTED, "above the limit");
  /* A vector that claims 2^60 elements, which nobody could read to the end. */
  tensor = dense();
  million[0] = (int64_t)1 << 60;
  tensor.shape = million;
  tensor.strides = still;
  tensor.ndim = 1;
  tensor.dtype = EGS_U8;
  REFUSED(egs_monitor_submit(monitor, "a", &tensor, 0, &error), EGS_ERR_UNSUPPORTED, "elements, above the limit");
  tensor = dense();
  REFUSED(egs_monitor_submit_dlpack(monitor, "a", NULL, 0, &error), EGS_ERR_INVALID_ARGUMENT, "tensor is NULL");
  REFUSED(egs_monitor_metric(monitor, NULL, 1, &error), EGS_ERR_INVALID_ARGUMENT, "name is NULL");
  REFUSED(egs_monitor_poll(monitor, 0, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "NULL");
  verdict.struct_size = 8;
  REFUSED(egs_monitor_poll(monitor, 0, &verdict, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  verdict.struct_size = sizeof verdict;
  OK(egs_monitor_poll(monitor, 0, &verdict, &error));
  CHECK(verdict.fresh == 0 && verdict.level == EGS_VERDICT_NONE && isnan(verdict.epoch));
  OK(egs_monitor_verdict(monitor, &verdict, &error));
  CHECK(verdict.fresh == 0);
  REFUSED(egs_monitor_verdict(monitor, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "NULL");
  REFUSED(egs_monitor_wait(monitor, 0, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "idle is NULL");
  OK(egs_monitor_wait(monitor, 0, &idle, &error));
  CHECK(idle == 1);
  REFUSED(egs_monitor_report(monitor, &report, &error), EGS_ERR_NOT_FOUND, "no commit");
  REFUSED(egs_monitor_report(monitor, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  REFUSED(egs_monitor_history(monitor, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  OK(egs_monitor_history(monitor, &report, &error));
  CHECK(egs_report_rows(report) == 0 && egs_report_columns(report) > 10);
  egs_report_free(report);
  OK(egs_monitor_counters(monitor, &counters, &error));
  CHECK(counters.commits == 0);
  REFUSED(egs_monitor_counters(monitor, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "NULL");
  m.assignment = 17;
  REFUSED(egs_monitor_multipliers(monitor, &m, NULL, 0, &count, &error), EGS_ERR_INVALID_ARGUMENT, "assignment");
  m.assignment = 0;
  m.low = NAN;
  REFUSED(egs_monitor_multipliers(monitor, &m, NULL, 0, &count, &error), EGS_ERR_INVALID_ARGUMENT, "finite");
  m.low = 0;
  m.flags = 64;
  REFUSED(egs_monitor_multipliers(monitor, &m, NULL, 0, &count, &error), EGS_ERR_INVALID_ARGUMENT, "unknown bits");
  m.flags = 0;
  m.metric = "beta";
  REFUSED(egs_monitor_multipliers(monitor, &m, NULL, 0, &count, &error), EGS_ERR_NOT_FOUND, "'beta'");
  REFUSED(egs_monitor_multipliers(monitor, NULL, NULL, 0, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "count is NULL");
  REFUSED(egs_monitor_multipliers(monitor, NULL, NULL, 4, &count, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  OK(egs_monitor_multipliers(monitor, NULL, &factor, 1, &count, &error));
  CHECK(count == 0);
  OK(egs_monitor_submit(monitor, "a", &tensor, 0, &error));
  OK(egs_monitor_discard(monitor, &error));
  REFUSED(egs_monitor_commit(monitor, 1, 0, 0, &error), EGS_ERR_INVALID_STATE, "nothing was submitted");
  REFUSED(egs_monitor_discard(NULL, &error), EGS_ERR_INVALID_ARGUMENT, "monitor is NULL");
  egs_monitor_close(monitor);
  egs_monitor_close(NULL);
}

static void a_run(void) {
  egs_monitor *monitor = NULL;
  egs_report *report = NULL;
  egs_tensor tensor;
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_counters counters = EGS_INIT(egs_counters);
  egs_multiplier_options linear = EGS_INIT(egs_multiplier_options);
  float factors[2] = {0, 0};
  size_t count = 0, row;
  double value;
  const char *text;
  int step;
  OK(egs_monitor_open(NULL, &monitor, &error));
  for (step = 1; step <= 3; step++) {
    fill(1);
    tensor = dense();
    OK(egs_monitor_submit(monitor, "a.weight", &tensor, EGS_ROLE_WEIGHT | EGS_COPY, &error));
    fill(1); /* the copy is the monitor's own */
    weights[0] = 3;
    OK(egs_monitor_submit(monitor, "b.weight", &tensor, EGS_ROLE_WEIGHT | EGS_BORROW, &error));
    OK(egs_monitor_metric(monitor, "accuracy", 0.9, &error));
    OK(egs_monitor_commit(monitor, 100 * step, step, 1.0 / step, &error));
    OK(egs_monitor_poll(monitor, 60000, &verdict, &error));
    CHECK(verdict.fresh == 1 && verdict.step == 100u * step && verdict.epoch == step && !(verdict.flags & EGS_NON_FINITE));
  }
  OK(egs_monitor_poll(monitor, 0, &verdict, &error));
  CHECK(verdict.fresh == 0); /* each is told once */
  OK(egs_monitor_verdict(monitor, &verdict, &error));
  CHECK(verdict.fresh == 1 && verdict.step == 300);
  OK(egs_monitor_report(monitor, &report, &error));
  CHECK(egs_report_rows(report) == 2);
  OK(egs_report_find(report, "b.weight", &row, &error));
  OK(egs_report_number(report, row, "step", &value, &error));
  CHECK(value == 300);
  OK(egs_report_number(report, row, "fresh", &value, &error));
  CHECK(value == 1);
  OK(egs_report_text(report, row, "role", &text, &error));
  CHECK(strcmp(text, "weight") == 0);
  OK(egs_report_mean(report, "alpha", &value, &error));
  CHECK(value > 1);
  OK(egs_report_json(report, &text, &error));
  CHECK(strstr(text, "\"verdict\"") != NULL);
  egs_report_free(report);
  OK(egs_monitor_history(monitor, &report, &error));
  CHECK(egs_report_rows(report) == 3 + 6);
  OK(egs_report_number(report, 1, "own:loss", &value, &error));
  CHECK(value == 0.5);
  OK(egs_report_number(report, 1, "own:accuracy", &value, &error));
  CHECK(value == 0.9);
  OK(egs_report_csv(report, &text, &error));
  CHECK(strstr(text, "step,epoch,name,role,segment,alpha") == text && strstr(text, "b.weight") != NULL);
  egs_report_free(report);
  OK(egs_monitor_counters(monitor, &counters, &error));
  CHECK(counters.commits == 3 && counters.analyzed == 3 && counters.dropped == 0 && counters.failed == 0);
  OK(egs_monitor_multipliers(monitor, NULL, NULL, 0, &count, &error));
  CHECK(count == 2);
  linear.low = 1;
  linear.high = 3;
  OK(egs_monitor_multipliers(monitor, &linear, factors, 2, &count, &error));
  CHECK((factors[0] == 1 && factors[1] == 3) || (factors[0] == 3 && factors[1] == 1));
  REFUSED(egs_monitor_multipliers(monitor, &linear, factors, 1, &count, &error), EGS_ERR_INVALID_ARGUMENT, "capacity");
  egs_monitor_close(monitor);
}

static void numbers_that_are_none_stop_the_run(void) {
  egs_monitor *monitor = NULL;
  egs_verdict verdict;
  OK(egs_monitor_open(NULL, &monitor, &error));
  fill(1);
  verdict = committed(monitor, 1);
  CHECK(verdict.level < EGS_VERDICT_STOP);
  weights[70] = (float)NAN;
  verdict = committed(monitor, 2);
  CHECK(verdict.level == EGS_VERDICT_STOP && (verdict.flags & EGS_NON_FINITE) && (verdict.new_flags & EGS_NON_FINITE));
  CHECK(strcmp(verdict.layer, "fc.weight") == 0 && strstr(verdict.reason, "fc.weight") != NULL);
  egs_monitor_close(monitor);
}

static int deleted;
static void count_deletion(struct DLManagedTensorVersioned *self) {
  (void)self;
  deleted++;
}

static void tensors_taken_over_are_deleted_once(void) {
  static int64_t extents[2] = {ROWS, COLS};
  DLManagedTensorVersioned m;
  egs_monitor *monitor = NULL;
  int32_t idle = 0;
  memset(&m, 0, sizeof m);
  m.version.major = DLPACK_MAJOR_VERSION;
  m.deleter = count_deletion;
  m.dl_tensor.data = weights;
  m.dl_tensor.device.device_type = kDLCPU;
  m.dl_tensor.ndim = 2;
  m.dl_tensor.dtype.code = kDLFloat;
  m.dl_tensor.dtype.bits = 32;
  m.dl_tensor.dtype.lanes = 1;
  m.dl_tensor.shape = extents;
  fill(1);
  OK(egs_monitor_open(NULL, &monitor, &error));
  OK(egs_monitor_submit_dlpack(monitor, "a.weight", &m, EGS_ROLE_WEIGHT | EGS_COPY, &error));
  CHECK(deleted == 1); /* copied: deleted at once */
  OK(egs_monitor_submit_dlpack(monitor, "b.weight", &m, EGS_ROLE_WEIGHT | EGS_BORROW, &error));
  CHECK(deleted == 1);
  REFUSED(egs_monitor_submit_dlpack(monitor, NULL, &m, 0, &error), EGS_ERR_INVALID_ARGUMENT, "name is NULL");
  CHECK(deleted == 2); /* also on failure */
  OK(egs_monitor_commit(monitor, 1, NAN, NAN, &error));
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  CHECK(idle == 1);
  egs_monitor_close(monitor);
  CHECK(deleted == 3);
}

struct told {
  const egs_monitor *monitor;
  int epochs, alarms, freed, reentered;
};

static void on_epoch(const egs_report *report, const egs_verdict *verdict, void *user) {
  struct told *told = (struct told *)user;
  egs_counters counters = EGS_INIT(egs_counters);
  egs_verdict latest = EGS_INIT(egs_verdict);
  told->epochs++;
  CHECK(egs_report_rows(report) == 1 && verdict->fresh == 1 && verdict->struct_size == sizeof *verdict);
  /* A callback may call back in. */
  if (told->monitor && egs_monitor_counters(told->monitor, &counters, NULL) == EGS_OK
      && egs_monitor_poll(told->monitor, 0, &latest, NULL) == EGS_OK)
    told->reentered++;
}

static void on_alarm(const egs_report *report, const egs_verdict *verdict, void *user) {
  CHECK(egs_report_rows(report) == 1 && verdict->level != EGS_VERDICT_NONE);
  ((struct told *)user)->alarms++;
}

static void freed(void *user) { ((struct told *)user)->freed++; }

static void callbacks(void) {
  struct told told = {NULL, 0, 0, 0, 0};
  egs_monitor *monitor = NULL;
  egs_monitor_options o = EGS_INIT(egs_monitor_options);
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_tensor tensor;
  int32_t idle = 0;
  o.on_epoch = on_epoch;
  o.on_alarm = on_alarm;
  o.user = &told;
  o.user_free = freed;
  o.threads = 1000000;
  REFUSED(egs_monitor_open(&o, &monitor, &error), EGS_ERR_INVALID_ARGUMENT, "threads");
  CHECK(told.freed == 0); /* never, when opening failed */
  o.threads = 2;
  OK(egs_monitor_open(&o, &monitor, &error));
  fill(1);
  tensor = dense();
  OK(egs_monitor_submit(monitor, "fc.weight", &tensor, 0, &error));
  OK(egs_monitor_commit(monitor, 1, 0, 0, &error));
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  CHECK(idle == 1 && told.epochs == 1 && told.alarms == 0);
  weights[5] = (float)INFINITY;
  OK(egs_monitor_submit(monitor, "fc.weight", &tensor, 0, &error));
  OK(egs_monitor_commit(monitor, 2, 0, 0, &error));
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  CHECK(told.epochs == 2 && told.alarms == 1 && told.freed == 0);
  egs_monitor_close(monitor);
  CHECK(told.freed == 1);

  /* In poll, on this thread, and calling back in. */
  o.flags = EGS_MONITOR_CALL_IN_POLL | EGS_MONITOR_NORMAL_PRIORITY;
  fill(1);
  OK(egs_monitor_open(&o, &monitor, &error));
  told.monitor = monitor;
  OK(egs_monitor_submit(monitor, "fc.weight", &tensor, 0, &error));
  OK(egs_monitor_commit(monitor, 1, 0, 0, &error));
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  CHECK(told.epochs == 2); /* not before poll */
  o.flags = 0;
  {
    /* The poll inside the callback waits for a next report only as long as it says. */
    egs_tensor next = dense();
    OK(egs_monitor_submit(monitor, "fc.weight", &next, 0, &error));
    OK(egs_monitor_commit(monitor, 2, 0, 0, &error));
  }
  OK(egs_monitor_poll(monitor, 60000, &verdict, &error));
  CHECK(told.epochs >= 3 && told.reentered >= 1);
  egs_monitor_close(monitor);
  CHECK(told.freed == 2);

  /* On the monitor's own thread, calling back in. */
  told.monitor = NULL;
  OK(egs_monitor_open(&o, &monitor, &error));
  told.monitor = monitor;
  told.reentered = 0;
  OK(egs_monitor_submit(monitor, "fc.weight", &tensor, 0, &error));
  OK(egs_monitor_commit(monitor, 1, 0, 0, &error));
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  CHECK(idle == 1 && told.reentered == 1);
  egs_monitor_close(monitor);
  CHECK(told.freed == 3);
}

static void commits_that_come_too_fast_are_counted(void) {
  egs_monitor *monitor = NULL;
  egs_monitor_options o = EGS_INIT(egs_monitor_options);
  egs_counters counters = EGS_INIT(egs_counters);
  egs_tensor tensor = dense();
  int32_t idle = 0;
  int i;
  o.budget_ms = EGS_NO_BUDGET;
  o.min_interval_ms = 3600000;
  o.json = "{\"queue\": 3, \"history\": 20, \"rules\": {\"dead_layer\": false}}";
  fill(1);
  OK(egs_monitor_open(&o, &monitor, &error));
  for (i = 0; i < 5; i++) {
    OK(egs_monitor_submit(monitor, "fc.weight", &tensor, 0, &error));
    OK(egs_monitor_commit(monitor, i, NAN, NAN, &error));
  }
  OK(egs_monitor_wait(monitor, 60000, &idle, &error));
  OK(egs_monitor_counters(monitor, &counters, &error));
  CHECK(idle == 1 && counters.commits == 5 && counters.skipped == 4 && counters.analyzed == 1);
  egs_monitor_close(monitor);
}

/* Every key that docs/c-api.md names. */
static void options_as_json(void) {
  egs_monitor *monitor = NULL;
  egs_monitor_options o = EGS_INIT(egs_monitor_options);
  o.json =
      "{\"budget_ms\": 100, \"queue\": 0, \"threads\": 1, \"min_interval_ms\": 0, \"history\": 1000, \"low_priority\": true,"
      " \"analysis\": {\"layers\": \"dense\", \"min_evals\": 8, \"max_evals\": null, \"max_n\": null, \"pool\": true, \"split\": false,"
      "   \"conv_mode\": \"slices\", \"fit\": \"PL\", \"xmax\": \"unbounded\", \"fix_fingers\": \"off\", \"max_fingers\": 10,"
      "   \"finger_thresh\": 1.0, \"precision\": \"f32\", \"conventions\": \"default\"},"
      " \"rules\": {\"over_trained\": {\"below\": 2.0, \"min_evals\": 50, \"raise_after\": 3, \"clear_after\": 3},"
      "   \"alpha_rising\": {\"window\": 10, \"noise\": 6, \"rise\": 0.5, \"min_evals\": 50, \"raise_after\": 3},"
      "   \"under_trained\": {\"above\": 6, \"min_evals\": 50}, \"rank_collapse\": {\"fraction\": 0.02, \"floor\": 1.5},"
      "   \"norm_explosion\": {\"window\": 10, \"warn\": 10, \"stop\": 1000}, \"dead_layer\": {\"never_moved\": true}, \"traps\": {\"excess\": 1.2, \"raise_after\": 1},"
      "   \"non_finite\": true, \"snapshot\": {\"target\": 2, \"gain\": 0.1, \"warm_up\": 5, \"min_evals\": 50}}}";
  OK(egs_monitor_open(&o, &monitor, &error));
  egs_monitor_close(monitor);
  o.json = "{\"budget_ms\": null, \"analysis\": {\"conv_mode\": \"flatten\", \"xmax\": {\"drop\": 3}}, \"rules\": {\"dead_layer\": false}}";
  OK(egs_monitor_open(&o, &monitor, &error));
  egs_monitor_close(monitor);
}

/* Copies of every shape are of the elements submitted, also in memory that held another tensor before. */
static void copies_are_what_was_submitted(void) {
  enum { BIG = 200 };
  static double wide[BIG * 3 * BIG];
  const int64_t square[2] = {BIG, BIG}, dense_rows[2] = {3 * BIG, 1}, gathered[2] = {3 * BIG, 3}, backwards[2] = {-3 * BIG, -1};
  egs_monitor *monitor = NULL;
  egs_engine *engine = NULL;
  egs_report *report = NULL;
  egs_monitor_options o = EGS_INIT(egs_monitor_options);
  egs_verdict verdict = EGS_INIT(egs_verdict);
  DLManagedTensorVersioned m;
  int64_t extents[2] = {BIG, BIG}, strides[2] = {3 * BIG, 1};
  int round, i;
  o.budget_ms = EGS_NO_BUDGET;
  OK(egs_engine_new(NULL, &engine, &error));
  OK(egs_monitor_open(&o, &monitor, &error));
  for (round = 0; round < 6; round++) {
    const double *first = wide;
    egs_tensor tensor = EGS_INIT(egs_tensor);
    double norm, expected;
    for (i = 0; i < BIG * 3 * BIG; i++) wide[i] = noise();
    tensor.shape = square;
    tensor.strides = round % 3 == 0 ? dense_rows : round % 3 == 1 ? gathered : backwards;
    if (round % 3 == 2) first = wide + (BIG - 1) * 3 * BIG + BIG - 1;
    tensor.data = first;
    tensor.ndim = 2;
    tensor.dtype = EGS_F64;
    OK(egs_analyze_tensor(engine, "fc.weight", &tensor, NULL, &report, &error));
    OK(egs_report_number(report, 0, "norm", &expected, &error));
    egs_report_free(report);
    if (round == 3) { /* the same memory as DLPack */
      memset(&m, 0, sizeof m);
      m.version.major = DLPACK_MAJOR_VERSION;
      m.dl_tensor.data = wide;
      m.dl_tensor.device.device_type = kDLCPU;
      m.dl_tensor.ndim = 2;
      m.dl_tensor.dtype.code = kDLFloat;
      m.dl_tensor.dtype.bits = 64;
      m.dl_tensor.dtype.lanes = 1;
      m.dl_tensor.shape = extents;
      m.dl_tensor.strides = strides;
      OK(egs_monitor_submit_dlpack(monitor, "fc.weight", &m, EGS_ROLE_WEIGHT, &error));
    } else {
      OK(egs_monitor_submit(monitor, "fc.weight", &tensor, EGS_ROLE_WEIGHT, &error));
    }
    memset(wide, 0, sizeof wide); /* the copy is the monitor's own */
    OK(egs_monitor_commit(monitor, (uint64_t)round, round, 0, &error));
    OK(egs_monitor_poll(monitor, 60000, &verdict, &error));
    OK(egs_monitor_report(monitor, &report, &error));
    OK(egs_report_number(report, 0, "norm", &norm, &error));
    CHECK(norm == expected && norm > 1);
    egs_report_free(report);
  }
  egs_monitor_close(monitor);
  egs_engine_free(engine);
}

int main(void) {
  refusals();
  options_as_json();
  copies_are_what_was_submitted();
  a_run();
  numbers_that_are_none_stop_the_run();
  tensors_taken_over_are_deleted_once();
  callbacks();
  commits_that_come_too_fast_are_counted();
  return checked("monitor");
}
