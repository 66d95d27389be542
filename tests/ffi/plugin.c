/* A shared library in C, loaded by its folder: its loader is asked after the library's own, and its models are analysed like others.
 * Argument 1: the folder with the plugin of examples/plugin-c; argument 2: a folder to write to. */
#include <eigenscope/eigenscope.h>

#include "check.h"

enum { ROWS = 90, COLUMNS = 60 };

static float weights[ROWS * COLUMNS];

int main(int count, char **arguments) {
  static const int64_t shape[2] = {ROWS, COLUMNS};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine *engine = NULL;
  egs_report *report = NULL;
  egs_error *error = NULL;
  const char *text;
  char path[4096];
  double expected, alpha;
  size_t loaded = 0, row;
  FILE *file;
  int i;
  if (count != 3) return 2;
  for (i = 0; i < ROWS * COLUMNS; i++) weights[i] = (float)noise();
  snprintf(path, sizeof path, "%s/model.egraw", arguments[2]);
  file = fopen(path, "wb");
  CHECK(file != NULL);
  if (!file) return checked("plugin");
  fprintf(file, "egraw 1\nfc.weight f32 %dx%d\n\n", ROWS, COLUMNS);
  CHECK(fwrite(weights, sizeof *weights, ROWS * COLUMNS, file) == ROWS * COLUMNS);
  CHECK(fclose(file) == 0);

  OK(egs_engine_new(NULL, &engine, &error));
  REFUSED(egs_analyze_file(engine, path, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "model.egraw");
  OK(egs_engine_load_plugins(engine, arguments[1], &loaded, &error));
  CHECK(loaded == 1 && egs_engine_loaders(engine) == 5);
  CHECK(strcmp(egs_engine_loader_name(engine, 4), "egraw") == 0);
  OK(egs_analyze_file(engine, path, NULL, &report, &error));
  CHECK(egs_report_rows(report) == 1);
  OK(egs_report_find(report, "fc.weight", &row, &error));
  OK(egs_report_text(report, row, "status", &text, &error));
  CHECK(strcmp(text, "success") == 0);
  OK(egs_report_number(report, row, "alpha", &alpha, &error));
  egs_report_free(report);
  report = NULL;
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  OK(egs_analyze_tensor(engine, "fc.weight", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &expected, &error));
  CHECK(alpha == expected);
  egs_report_free(report);
  egs_engine_free(engine);
  CHECK(remove(path) == 0);
  return checked("plugin");
}
