/* The contract of engines, tensors, analyses, reports and spectra: happy paths, NULLs, short structs, unknown flags, bad input. */
#include <eigenscope/arrow.h>
#include <eigenscope/dlpack.h>
#include <eigenscope/eigenscope.h>

#include <math.h>

#include "check.h"

enum { ROWS = 60, COLS = 40 };

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

static void versions(void) {
  CHECK(egs_version() == EGS_VERSION_MAJOR * 65536 + EGS_VERSION_MINOR * 256 + EGS_VERSION_PATCH);
  CHECK(egs_abi_version() == EGS_ABI_VERSION);
  CHECK(strstr(egs_version_string(), "eigenscope/0.1.0 abi=0.1 plugin-abi=1.0") != NULL);
  CHECK(strcmp(egs_status_name(EGS_OK), "EGS_OK") == 0);
  CHECK(strcmp(egs_status_name(EGS_ERR_PANIC), "EGS_ERR_PANIC") == 0);
  CHECK(strcmp(egs_status_name(12345), "unknown status") == 0);
  CHECK(egs_error_code(NULL) == EGS_OK);
  CHECK(egs_error_message(NULL)[0] == 0 && egs_error_advice(NULL)[0] == 0);
  egs_error_free(NULL);
}

static int logged;
static void note(int32_t level, const char *target, const char *message, void *user) {
  if (level <= EGS_LOG_DEBUG && target[0] && message[0] && user == &logged) logged++;
}

static void engines(void) {
  egs_engine *engine = NULL;
  egs_engine_options options = EGS_INIT(egs_engine_options);
  REFUSED(egs_engine_new(NULL, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  CHECK(egs_engine_new(NULL, NULL, NULL) == EGS_ERR_INVALID_ARGUMENT); /* nobody wants the error */
  options.struct_size = 8;
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  options.struct_size = (size_t)-1;
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  options.struct_size = sizeof options;
  options.flags = 1u << 20;
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "unknown bits");
  options.flags = 0;
  options.threads = 100000;
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "threads");
  options.threads = 2;
  options.log_level = 9;
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "log_level");
  options.log_level = EGS_LOG_DEBUG;
  options.json = "{\"thread\": 1}";
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "unknown key 'thread'");
  options.json = "{\"threads\": \"two\"}";
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "cannot be \"two\"");
  options.json = "{";
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "not JSON");
  options.json = "\xff";
  REFUSED(egs_engine_new(&options, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "UTF-8");
  CHECK(engine == NULL); /* written only on success */
  options.json = "{\"threads\": 1, \"low_priority\": true, \"log_level\": \"debug\"}";
  options.log = note;
  options.log_user = &logged;
  OK(egs_engine_new(&options, &engine, &error));
  CHECK(logged > 0);
  CHECK(egs_engine_loaders(engine) == 4);
  CHECK(strcmp(egs_engine_loader_name(engine, 3), "keras") == 0);
  CHECK(strcmp(egs_engine_loader_name(engine, 0), "safetensors") == 0);
  CHECK(egs_engine_loader_name(engine, 999) == NULL);
  CHECK(egs_engine_loaders(NULL) == 0 && egs_engine_loader_name(NULL, 0) == NULL);
  REFUSED(egs_engine_load_plugins(engine, "/nowhere/at-all.so", NULL, &error), EGS_ERR_NOT_FOUND, "at-all.so");
  REFUSED(egs_engine_load_plugins(NULL, NULL, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "engine is NULL");
  REFUSED(egs_engine_register_loader(engine, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "NULL");
  egs_engine_free(engine);
  egs_engine_free(NULL);

  /* A struct of a newer header: what is not known must be zero. */
  struct { egs_engine_options known; unsigned char newer[16]; } grown;
  memset(&grown, 0, sizeof grown);
  grown.known.struct_size = sizeof grown;
  OK(egs_engine_new(&grown.known, &engine, &error));
  egs_engine_free(engine);
  grown.newer[3] = 1;
  REFUSED(egs_engine_new(&grown.known, &engine, &error), EGS_ERR_INVALID_ARGUMENT, "is not zero");
  options = (egs_engine_options)EGS_INIT(egs_engine_options);
  options.flags = EGS_ENGINE_NO_LOADERS;
  OK(egs_engine_new(&options, &engine, &error));
  CHECK(egs_engine_loaders(engine) == 0);
  egs_engine_free(engine);
}

static void reports(const egs_engine *engine) {
  egs_report *report = NULL;
  egs_tensor tensor = dense();
  double value = 0, alpha = 0;
  const char *text = NULL;
  size_t row = 99;
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, NULL, &report, &error));
  CHECK(egs_report_rows(report) == 1);
  CHECK(egs_report_columns(report) > 30);
  CHECK(egs_report_rows(NULL) == 0 && egs_report_columns(NULL) == 0);
  CHECK(strcmp(egs_report_column_name(report, 0), "layer_id") == 0);
  CHECK(egs_report_column_name(report, 9999) == NULL && egs_report_column_doc(report, 9999) == NULL);
  CHECK(strlen(egs_report_column_doc(report, 0)) > 10);
  CHECK(egs_report_column_type(report, 0) == EGS_COLUMN_INTEGER);
  CHECK(egs_report_column_type(report, 9999) == 0);
  OK(egs_report_find(report, "fc", &row, &error));
  OK(egs_report_find(report, "fc.weight", &row, &error));
  CHECK(row == 0);
  REFUSED(egs_report_find(report, "gc", &row, &error), EGS_ERR_NOT_FOUND, "'gc'");
  REFUSED(egs_report_find(report, NULL, &row, &error), EGS_ERR_INVALID_ARGUMENT, "layer is NULL");
  REFUSED(egs_report_find(report, "fc.weight", NULL, &error), EGS_ERR_INVALID_ARGUMENT, "row is NULL");
  OK(egs_report_number(report, 0, "N", &value, &error));
  CHECK(value == ROWS);
  OK(egs_report_number(report, 0, "alpha", &alpha, &error));
  CHECK(alpha > 1);
  OK(egs_report_number(report, 0, "slice_id", &value, &error));
  CHECK(isnan(value));
  REFUSED(egs_report_number(report, 0, "alfa", &value, &error), EGS_ERR_NOT_FOUND, "'alfa'");
  REFUSED(egs_report_number(report, 7, "alpha", &value, &error), EGS_ERR_INVALID_ARGUMENT, "less than 1");
  REFUSED(egs_report_number(report, 0, "status", &value, &error), EGS_ERR_INVALID_ARGUMENT, "words");
  REFUSED(egs_report_number(report, 0, "alpha", NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  REFUSED(egs_report_number(NULL, 0, "alpha", &value, &error), EGS_ERR_INVALID_ARGUMENT, "report is NULL");
  OK(egs_report_text(report, 0, "status", &text, &error));
  CHECK(strcmp(text, "success") == 0);
  OK(egs_report_text(report, 0, "alpha", &text, &error));
  CHECK(strtod(text, NULL) == alpha);
  OK(egs_report_text(report, 0, "slice_id", &text, &error));
  CHECK(text[0] == 0);
  REFUSED(egs_report_text(report, 0, "alpha", NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  OK(egs_report_mean(report, "alpha", &value, &error));
  CHECK(value == alpha);
  REFUSED(egs_report_mean(report, "N", &value, &error), EGS_ERR_NOT_FOUND, "there are: ");
  OK(egs_report_json(report, &text, &error));
  CHECK(strstr(text, "\"conventions\": \"default\"") && strstr(text, "\"longname\": \"fc.weight\""));
  OK(egs_report_csv(report, &text, &error));
  CHECK(strncmp(text, "layer_id,name,", 14) == 0);
  REFUSED(egs_report_json(report, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  REFUSED(egs_report_csv(NULL, &text, &error), EGS_ERR_INVALID_ARGUMENT, "report is NULL");
  REFUSED(egs_report_arrow(report, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  egs_report_free(report);
  egs_report_free(NULL);
}

/* Less than all eigenvalues, and less memory than a layer takes. */
static void limits(const egs_engine *engine) {
  egs_report *report = NULL;
  egs_engine *small = NULL;
  egs_engine_options limited = EGS_INIT(egs_engine_options);
  egs_analysis_options top = EGS_INIT(egs_analysis_options);
  egs_tensor tensor = dense();
  const char *text = NULL;
  double all = 0, value = 0;
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "lambda_max", &all, &error));
  egs_report_free(report);
  top.json = "{\"estimate\": {\"top\": 2}}";
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, &top, &report, &error));
  OK(egs_report_text(report, 0, "estimate", &text, &error));
  CHECK(strncmp(text, "top 2", 5) == 0);
  OK(egs_report_number(report, 0, "lambda_max", &value, &error));
  CHECK(fabs(value / all - 1) < 1e-6);
  egs_report_free(report);
  top.json = "{\"estimate\": {\"top\": 2}, \"mp_fit\": true}";
  REFUSED(egs_analyze_tensor(engine, "fc.weight", &tensor, &top, &report, &error), EGS_ERR_INVALID_ARGUMENT, "does not go with mp_fit");
  limited.max_memory = 32 << 20; /* what is set aside */
  OK(egs_engine_new(&limited, &small, &error));
  OK(egs_analyze_tensor(small, "fc.weight", &tensor, NULL, &report, &error));
  OK(egs_report_text(report, 0, "status", &text, &error));
  CHECK(strcmp(text, "skipped") == 0);
  OK(egs_report_text(report, 0, "reason", &text, &error));
  CHECK(strstr(text, "max_memory") != NULL);
  egs_report_free(report);
  egs_engine_free(small);
}

/* The stream outlives its report; a child may be moved out before its parent is released. */
static void arrow(const egs_engine *engine) {
  egs_report *report = NULL;
  egs_tensor tensor = dense();
  const egs_tensor *tensors[2];
  const char *names[2] = {"a", "b"};
  struct ArrowArrayStream stream;
  struct ArrowSchema schema, moved;
  struct ArrowArray batch, last;
  double alpha;
  int64_t column, found = -1;
  tensors[0] = tensors[1] = &tensor;
  OK(egs_analyze_tensors(engine, names, tensors, 2, NULL, &report, &error));
  OK(egs_report_number(report, 1, "alpha", &alpha, &error));
  OK(egs_report_arrow(report, &stream, &error));
  egs_report_free(report);
  CHECK(stream.get_schema(&stream, &schema) == 0);
  CHECK(stream.get_next(&stream, &batch) == 0);
  CHECK(stream.get_next(&stream, &last) == 0 && last.release == NULL);
  CHECK(stream.get_last_error(&stream) != NULL);
  CHECK(stream.get_schema(&stream, NULL) != 0);
  stream.release(&stream);
  CHECK(stream.release == NULL);
  CHECK(strcmp(schema.format, "+s") == 0 && schema.n_children == batch.n_children && batch.length == 2);
  for (column = 0; column < schema.n_children; column++)
    if (strcmp(schema.children[column]->name, "alpha") == 0) found = column;
  CHECK(found >= 0 && strcmp(schema.children[found]->format, "g") == 0);
  CHECK(((const double *)batch.children[found]->buffers[1])[1] == alpha);
  moved = *schema.children[0];
  schema.children[0]->release = NULL;
  schema.release(&schema);
  CHECK(schema.release == NULL && strcmp(moved.name, "layer_id") == 0 && strcmp(moved.format, "l") == 0);
  moved.release(&moved);
  CHECK(strncmp((const char *)batch.children[1]->buffers[2], "ab", 2) == 0); /* the names, end to end */
  CHECK(((const int64_t *)batch.children[1]->buffers[1])[2] == 2);
  batch.release(&batch);
}

static int calls;
static int32_t watch(const egs_progress *progress, void *user) {
  CHECK(progress->struct_size == sizeof *progress && progress->done <= progress->total && progress->layer[0]);
  calls++;
  return user != NULL;
}

static void options(const egs_engine *engine) {
  egs_report *report = NULL;
  egs_tensor tensor = dense();
  egs_analysis_options o = EGS_INIT(egs_analysis_options);
  const char *text;
  static const char *const wanted[] = {"rand_distance", "max_rand_eval", "sigma_mp", "tw_edge", "detX_num", "level_ratio",
                                       "bulk_mean_vec_entropy", "p_EXP", "alpha0_sd"};
  double value;
  int i;
  o.progress = watch;
  OK(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error));
  CHECK(calls == 1);
  egs_report_free(report);
  report = NULL;
  o.progress_user = &calls;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error), EGS_ERR_CANCELLED, "cancelled");
  CHECK(report == NULL);
  o.progress = NULL;
  o.flags = EGS_ANALYZE_RANDOMIZE | EGS_ANALYZE_MP_FIT | EGS_ANALYZE_TRAPS | EGS_ANALYZE_DETX | EGS_ANALYZE_DELTAS |
            EGS_ANALYZE_VECTORS | EGS_ANALYZE_COMPARE | EGS_ANALYZE_NULL_REFERENCE;
  o.json = "{\"seed\": 7, \"replicas\": 2}";
  OK(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error));
  OK(egs_report_number(report, 0, "rand_replicas", &value, &error));
  CHECK(value == 2);
  OK(egs_report_number(report, 0, "num_traps", &value, &error));
  CHECK(value == 0);
  for (i = 0; i < (int)(sizeof wanted / sizeof *wanted); i++) {
    OK(egs_report_number(report, 0, wanted[i], &value, &error));
    CHECK(value > 0);
  }
  egs_report_free(report);
  report = NULL;
  o.json = NULL;
  o.flags = 1u << 30;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error), EGS_ERR_INVALID_ARGUMENT, "unknown bits");
  o.flags = EGS_ANALYZE_SINGLE;
  o.conventions = "weightwatcher-0.7.7";
  o.json = "{\"min_evals\": 10, \"max_fingers\": 3}";
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, &o, &report, &error));
  OK(egs_report_json(report, &text, &error));
  CHECK(strstr(text, "weightwatcher-0.7.7") && strstr(text, "\"max_fingers\": 3") && strstr(text, "\"min_evals\": 10"));
  egs_report_free(report);
  o.conventions = "classic";
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error), EGS_ERR_INVALID_ARGUMENT, "weightwatcher-0.7.7");
  o.conventions = NULL;
  o.json = "{\"min_eval\": 10}";
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error), EGS_ERR_INVALID_ARGUMENT, "'min_eval'");
  o.json = NULL;
  o.layers = "conv2d";
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error), EGS_ERR_NOT_FOUND, "conv2d");
  o.layers = NULL;
  o.min_evals = 50;
  OK(egs_analyze_tensor(engine, "fc", &tensor, &o, &report, &error));
  OK(egs_report_text(report, 0, "reason", &text, &error));
  CHECK(strstr(text, "below min_evals 50"));
  OK(egs_report_mean(report, "alpha", &value, &error));
  CHECK(isnan(value));
  egs_report_free(report);
}

/* A row that is not analysed, and why. */
static void row_says(const egs_engine *engine, const egs_tensor *tensor, const char *words) {
  egs_report *report = NULL;
  const char *text = "";
  OK(egs_analyze_tensor(engine, "fc.weight", tensor, NULL, &report, &error));
  OK(egs_report_text(report, 0, "reason", &text, &error));
  if (!strstr(text, words)) fprintf(stderr, "the reason is: %s\n", text);
  CHECK(strstr(text, words) != NULL);
  egs_report_free(report);
}

static void tensors(const egs_engine *engine) {
  egs_report *report = NULL;
  egs_tensor tensor = dense();
  double straight, turned;
  int64_t huge[2] = {INT64_MAX, INT64_MAX}, negative[2] = {-1, 4}, empty[2] = {0, COLS}, many[9] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
  int64_t far_apart[2] = {INT64_MIN, 1}, backwards[2] = {-COLS, -1}, transposed[2] = {1, COLS}, flat[2] = {COLS, ROWS};
  int64_t million[2] = {1000000, 1000000}, still[2] = {0, 0}, one[1] = {ROWS * COLS}, overlapping[2] = {1, 1};
  static char odd[sizeof weights + 1];
  int i, k;
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &straight, &error));
  egs_report_free(report);
  tensor.shape = flat; /* the same matrix, seen from the side */
  tensor.strides = transposed;
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &turned, &error));
  CHECK_NEAR(turned, straight, 1e-9);
  egs_report_free(report);
  tensor = dense(); /* and from the end */
  tensor.data = weights + ROWS * COLS - 1;
  tensor.strides = backwards;
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &turned, &error));
  CHECK_NEAR(turned, straight, 1e-9);
  egs_report_free(report);
  report = NULL;
  memcpy(odd + 1, weights, sizeof weights); /* and at an odd address */
  tensor = dense();
  tensor.data = odd + 1;
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &turned, &error));
  CHECK(turned == straight);
  egs_report_free(report);
  tensor = dense(); /* rows that overlap: a Hankel matrix, every element of which is there */
  tensor.strides = overlapping;
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "norm", &turned, &error));
  for (i = 0, straight = 0; i < ROWS; i++)
    for (k = 0; k < COLS; k++) straight += (double)weights[i + k] * weights[i + k];
  CHECK_NEAR(turned, straight, 1e-9 * straight);
  egs_report_free(report);
  report = NULL;

  tensor = dense();
  tensor.struct_size = 4;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  tensor = dense();
  tensor.dtype = 0;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "dtype: 0");
  tensor.dtype = 77;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "dtype: 77");
  tensor = dense();
  tensor.kind = -1;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "kind");
  tensor = dense();
  tensor.layout = 4;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "layout");
  tensor = dense();
  tensor.ndim = -3;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "ndim");
  tensor.ndim = INT32_MAX;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "ndim");
  tensor.ndim = 9;
  tensor.shape = many;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "ndim");
  tensor = dense();
  tensor.shape = NULL;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "shape is NULL");
  tensor = dense();
  tensor.data = NULL;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "data is NULL");
  tensor = dense();
  tensor.shape = huge;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "address space");
  tensor.shape = negative;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "shape[0]");
  tensor = dense();
  tensor.strides = far_apart;
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "lead out");
  REFUSED(egs_analyze_tensor(engine, NULL, &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "name is NULL");
  REFUSED(egs_analyze_tensor(engine, "\xc3(", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "UTF-8");
  REFUSED(egs_analyze_tensor(engine, "fc", NULL, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "egs_tensor is NULL");
  REFUSED(egs_analyze_tensor(NULL, "fc", &tensor, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "engine is NULL");
  tensor = dense();
  REFUSED(egs_analyze_tensor(engine, "fc", &tensor, NULL, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  CHECK(report == NULL);
  REFUSED(egs_analyze_tensors(engine, NULL, NULL, 2, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "names is NULL");
  REFUSED(egs_analyze_tensors(engine, NULL, NULL, (size_t)-1, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "count");
  OK(egs_analyze_tensors(engine, NULL, NULL, 0, NULL, &report, &error));
  CHECK(egs_report_rows(report) == 0);
  egs_report_free(report);

  /* What is wrong with the numbers is no error, but a row. */
  tensor = dense();
  tensor.shape = empty;
  row_says(engine, &tensor, "no elements");
  tensor.data = NULL;
  row_says(engine, &tensor, "no elements");
  tensor = dense();
  tensor.shape = one;
  tensor.ndim = 1;
  row_says(engine, &tensor, "norm layer");
  tensor.ndim = 0;
  tensor.shape = NULL;
  row_says(engine, &tensor, "scalar");
  tensor = dense();
  tensor.dtype = EGS_I32;
  row_says(engine, &tensor, "quantisation scale");
  tensor = dense(); /* one element, seen a million times a million times */
  tensor.shape = million;
  tensor.strides = still;
  row_says(engine, &tensor, "above the limit");
  million[0] = (int64_t)1 << 40; /* a small Gram matrix, and days of reading */
  million[1] = 16;
  row_says(engine, &tensor, "elements, above the limit");
  tensor = dense();
  tensor.strides = still;
  row_says(engine, &tensor, "fit");
  weights[7] = (float)NAN;
  weights[8] = (float)INFINITY;
  tensor = dense();
  row_says(engine, &tensor, "contains 1 NaN and 1 infinite, first at [0,7]");
  weights[7] = weights[8] = 0.25f;
}

static int deleted;
static void count_deletion(struct DLManagedTensorVersioned *self) {
  (void)self;
  deleted++;
}

static DLManagedTensorVersioned managed(void) {
  static int64_t extents[2] = {ROWS, COLS}, strides[2] = {COLS, 1};
  DLManagedTensorVersioned m;
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
  m.dl_tensor.strides = strides;
  return m;
}

static void dlpack(const egs_engine *engine) {
  DLManagedTensorVersioned m = managed();
  egs_report *report = NULL;
  egs_tensor tensor;
  OK(egs_tensor_from_dlpack(&m.dl_tensor, &tensor, &error));
  CHECK(tensor.data == weights && tensor.dtype == EGS_F32 && tensor.ndim == 2 && tensor.struct_size == sizeof tensor);
  REFUSED(egs_tensor_from_dlpack(NULL, &tensor, &error), EGS_ERR_INVALID_ARGUMENT, "dl_tensor is NULL");
  REFUSED(egs_tensor_from_dlpack(&m.dl_tensor, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  m.dl_tensor.byte_offset = 16;
  m.dl_tensor.strides = NULL;
  m.dl_tensor.ndim = 1;
  OK(egs_tensor_from_dlpack(&m.dl_tensor, &tensor, &error));
  CHECK(tensor.data == weights + 4);
  m.dl_tensor.byte_offset = UINT64_MAX;
  REFUSED(egs_tensor_from_dlpack(&m.dl_tensor, &tensor, &error), EGS_ERR_INVALID_ARGUMENT, "byte_offset");

  m = managed();
  OK(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error));
  CHECK(deleted == 1);
  egs_report_free(report);
  report = NULL;
  m = managed();
  m.dl_tensor.device.device_type = kDLCUDA;
  REFUSED(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "device");
  CHECK(deleted == 2);
  m = managed();
  m.version.major = 2;
  m.dl_tensor.shape = (int64_t *)(uintptr_t)8; /* of another version nothing may be looked at */
  REFUSED(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "major version 1");
  CHECK(deleted == 3);
  m = managed();
  m.flags = DLPACK_FLAG_BITMASK_IS_SUBBYTE_TYPE_PADDED;
  REFUSED(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "flags");
  m = managed();
  m.dl_tensor.dtype.lanes = 4;
  REFUSED(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "4 lanes");
  m = managed();
  m.dl_tensor.dtype.code = kDLComplex;
  m.dl_tensor.dtype.bits = 64;
  REFUSED(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "code 5");
  m = managed();
  REFUSED(egs_analyze_dlpack(engine, NULL, &m, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "name is NULL");
  m = managed();
  REFUSED(egs_analyze_dlpack(NULL, "fc", &m, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "engine is NULL");
  CHECK(deleted == 8); /* exactly once each */
  REFUSED(egs_analyze_dlpack(engine, "fc", NULL, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "tensor is NULL");
  m = managed();
  m.deleter = NULL;
  OK(egs_analyze_dlpack(engine, "fc", &m, NULL, &report, &error));
  egs_report_free(report);
}

static void spectra(const egs_engine *engine) {
  static double diagonal[64 * 64], values[400];
  const int64_t square[2] = {64, 64};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_esd *esd = NULL;
  egs_fit fit = EGS_INIT(egs_fit);
  DLManagedTensorVersioned *out = NULL;
  int i;
  for (i = 0; i < 64; i++) diagonal[65 * i] = i + 1;
  tensor.data = diagonal;
  tensor.shape = square;
  tensor.ndim = 2;
  tensor.dtype = EGS_F64;
  OK(egs_esd_of_tensor(engine, "d", &tensor, NULL, &esd, &error));
  CHECK(egs_esd_count(esd) == 64);
  for (i = 0; i < 64; i++) CHECK_NEAR(egs_esd_values(esd)[i], (i + 1.0) * (i + 1.0), 1e-9 * 4096);
  OK(egs_esd_fit(esd, &fit, &error));
  CHECK(fit.alpha > 1 && fit.xmin > 0 && fit.tail >= 2 && fit.tail <= 64 && fit.struct_size == sizeof fit);
  CHECK_NEAR(fit.xmax, 4096, 1e-6);
  REFUSED(egs_esd_fit(esd, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "egs_fit is NULL");
  fit.struct_size = 3;
  REFUSED(egs_esd_fit(esd, &fit, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  OK(egs_esd_dlpack(esd, &out, &error));
  REFUSED(egs_esd_dlpack(esd, NULL, &error), EGS_ERR_INVALID_ARGUMENT, "out is NULL");
  egs_esd_free(esd); /* the DLPack tensor keeps the numbers */
  CHECK(out->version.major == DLPACK_MAJOR_VERSION && out->flags == DLPACK_FLAG_BITMASK_READ_ONLY);
  CHECK(out->dl_tensor.ndim == 1 && out->dl_tensor.shape[0] == 64 && out->dl_tensor.strides[0] == 1);
  CHECK_NEAR(((double *)out->dl_tensor.data)[63], 4096, 1e-6);
  out->deleter(out);
  egs_esd_free(NULL);
  CHECK(egs_esd_count(NULL) == 0 && egs_esd_values(NULL) == NULL);
  esd = NULL;
  memset(diagonal, 0, sizeof diagonal);
  OK(egs_esd_of_tensor(engine, "zero", &tensor, NULL, &esd, &error));
  fit = (egs_fit)EGS_INIT(egs_fit);
  REFUSED(egs_esd_fit(esd, &fit, &error), EGS_ERR_NOT_FOUND, "all-zero");
  egs_esd_free(esd);
  esd = NULL;
  diagonal[5] = NAN;
  REFUSED(egs_esd_of_tensor(engine, "nan", &tensor, NULL, &esd, &error), EGS_ERR_INVALID_DATA, "NaN");
  REFUSED(egs_esd_of_file(engine, "/nowhere", "fc", NULL, &esd, &error), EGS_ERR_NOT_FOUND, "/nowhere");
  CHECK(esd == NULL);

  /* Quantiles of a power law with exponent 2.5. */
  for (i = 0; i < 400; i++) values[i] = pow(1 - (i + 0.5) / 400, -1 / 1.5);
  OK(egs_fit_values(values, 400, &fit, &error));
  CHECK_NEAR(fit.alpha, 2.5, 0.01);
  values[3] = -1;
  REFUSED(egs_fit_values(values, 400, &fit, &error), EGS_ERR_INVALID_ARGUMENT, "values[3]");
  REFUSED(egs_fit_values(values, 1, &fit, &error), EGS_ERR_NOT_FOUND, "no fit");
  REFUSED(egs_fit_values(NULL, 1, &fit, &error), EGS_ERR_INVALID_ARGUMENT, "values is NULL");
  REFUSED(egs_fit_values(values, SIZE_MAX, &fit, &error), EGS_ERR_INVALID_ARGUMENT, "count");
}

/* A safetensors file with the one tensor, made here. */
static size_t safetensors(unsigned char *file) {
  char header[128];
  size_t length;
  int i;
  sprintf(header, "{\"fc.weight\":{\"dtype\":\"F32\",\"shape\":[%d,%d],\"data_offsets\":[0,%d]}}", ROWS, COLS, ROWS * COLS * 4);
  length = strlen(header);
  while (length % 8) header[length++] = ' ';
  for (i = 0; i < 8; i++) file[i] = (unsigned char)(length >> (8 * i));
  memcpy(file + 8, header, length);
  memcpy(file + 8 + length, weights, sizeof weights);
  return 8 + length + sizeof weights;
}

/* A model less a base model: itself leaves nothing, and so half of every weight leaves half. */
static void base_model(const egs_engine *engine, const char *path) {
  static float halves[ROWS * COLS];
  egs_analysis_options o = EGS_INIT(egs_analysis_options);
  egs_tensor tensor = dense();
  egs_report *report = NULL;
  const char *reason = NULL;
  char json[1200];
  double norm, whole;
  int i;
  sprintf(json, "{\"base_model\": \"%.1000s\"}", path);
  OK(egs_analyze_file(engine, path, NULL, &report, &error));
  OK(egs_report_number(report, 0, "norm", &whole, &error));
  egs_report_free(report);
  o.json = json;
  OK(egs_analyze_file(engine, path, &o, &report, &error));
  OK(egs_report_text(report, 0, "reason", &reason, &error));
  CHECK(strcmp(reason, "identical to the base model") == 0);
  egs_report_free(report);
  for (i = 0; i < ROWS * COLS; i++) halves[i] = weights[i] / 2;
  tensor.data = halves;
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, &o, &report, &error));
  OK(egs_report_number(report, 0, "norm", &norm, &error));
  CHECK(norm > 0.25 * whole * (1 - 1e-9) && norm < 0.25 * whole * (1 + 1e-9));
  egs_report_free(report);
  report = NULL;
  o.json = "{\"base_model\": \"/nowhere/base.pt\"}";
  REFUSED(egs_analyze_file(engine, path, &o, &report, &error), EGS_ERR_NOT_FOUND, "/nowhere/base.pt");
  o.json = "{\"lora\": \"sometimes\"}";
  REFUSED(egs_analyze_file(engine, path, &o, &report, &error), EGS_ERR_INVALID_ARGUMENT, "'lora' cannot be 'sometimes'");
}

static void files(const egs_engine *engine, const char *folder) {
  static unsigned char file[sizeof weights + 256];
  size_t size = safetensors(file), cut;
  egs_report *report = NULL;
  egs_esd *esd = NULL;
  egs_analysis_options o = EGS_INIT(egs_analysis_options);
  egs_tensor tensor = dense();
  double from_memory, from_file;
  char path[1024];
  FILE *stream;
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &from_memory, &error));
  egs_report_free(report);
  OK(egs_analyze_buffer(engine, "model.safetensors", file, size, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &from_file, &error));
  CHECK(from_file == from_memory);
  egs_report_free(report);
  o.format = "safetensors"; /* named, the file's name does not matter */
  OK(egs_analyze_buffer(engine, "x", file, size, &o, &report, &error));
  egs_report_free(report);
  report = NULL;
  o.format = "sculpture";
  REFUSED(egs_analyze_buffer(engine, "x", file, size, &o, &report, &error), EGS_ERR_NOT_FOUND, "sculpture");
  for (cut = 1; cut < size; cut += 1 + cut / 3) {
    egs_status status = egs_analyze_buffer(engine, "model.safetensors", file, cut, NULL, &report, &error);
    CHECK(status == EGS_ERR_INVALID_DATA || status == EGS_ERR_UNSUPPORTED);
    egs_error_free(error);
    error = NULL;
  }
  REFUSED(egs_analyze_buffer(engine, "m.safetensors", NULL, 0, NULL, &report, &error), EGS_ERR_INVALID_DATA, "empty");
  REFUSED(egs_analyze_buffer(engine, "m.safetensors", NULL, 5, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "data is NULL");
  REFUSED(egs_analyze_buffer(engine, "m.safetensors", file, SIZE_MAX, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "size");
  REFUSED(egs_analyze_file(engine, NULL, NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "path is NULL");
  REFUSED(egs_analyze_file(engine, "", NULL, &report, &error), EGS_ERR_INVALID_ARGUMENT, "path is empty");
  REFUSED(egs_analyze_file(engine, "/nowhere/x.safetensors", NULL, &report, &error), EGS_ERR_NOT_FOUND, "/nowhere");
  REFUSED(egs_analyze_file(engine, "/dev/null", NULL, &report, &error), EGS_ERR_UNSUPPORTED, "regular file");

  sprintf(path, "%.900s/one-shot.safetensors", folder);
  stream = fopen(path, "wb");
  CHECK(stream && fwrite(file, 1, size, stream) == size && fclose(stream) == 0);
  OK(egs_analyze_file(engine, path, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &from_file, &error));
  CHECK(from_file == from_memory);
  egs_report_free(report);
  base_model(engine, path);
  OK(egs_esd_of_file(engine, path, "fc.weight", NULL, &esd, &error));
  CHECK(egs_esd_count(esd) == COLS);
  egs_esd_free(esd);
  REFUSED(egs_esd_of_file(engine, path, "gc", NULL, &esd, &error), EGS_ERR_NOT_FOUND, "'gc'");
  remove(path);
}

/* One network in two formats: the same spectra. */
static void formats(const egs_engine *engine, const char *models) {
  const char *const names[2] = {"digits-mlp.safetensors", "digits-mlp.pt"};
  double norms[2] = {0, 1};
  char path[1024];
  int i;
  for (i = 0; i < 2; i++) {
    egs_report *report = NULL;
    size_t row = 0;
    sprintf(path, "%.900s/%s", models, names[i]);
    OK(egs_analyze_file(engine, path, NULL, &report, &error));
    CHECK(egs_report_rows(report) >= 4);
    OK(egs_report_find(report, "fc1.weight", &row, &error));
    OK(egs_report_number(report, row, "norm", &norms[i], &error));
    egs_report_free(report);
  }
  CHECK(norms[0] == norms[1] && norms[0] > 0);
}

int main(int argc, char **argv) {
  egs_engine *engine = NULL;
  int i;
  for (i = 0; i < ROWS * COLS; i++) weights[i] = (float)noise();
  versions();
  engines();
  OK(egs_engine_new(NULL, &engine, &error));
  reports(engine);
  limits(engine);
  arrow(engine);
  options(engine);
  tensors(engine);
  dlpack(engine);
  spectra(engine);
  files(engine, argc > 1 ? argv[1] : ".");
  if (argc > 2) formats(engine, argv[2]);
  egs_engine_free(engine);
  return checked("one_shot");
}
