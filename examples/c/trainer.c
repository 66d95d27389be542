/* A trainer in C that asks, after every epoch, what the spectra of its weights say.
 *
 *     trainer DIGITS [--epochs N] [--lr X] [--seed N] [--no-monitor]
 */
#define _POSIX_C_SOURCE 200809L
#include <eigenscope/eigenscope.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../mlp/mlp.h"

static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Says what is wrong and frees it. Monitoring that fails is no reason for training to end. */
static void complain(egs_error **error) {
  fprintf(stderr, "eigenscope: %s (%s)\n", egs_error_message(*error), egs_error_advice(*error));
  egs_error_free(*error);
  *error = NULL;
}

/* Called inside egs_monitor_poll(), on our own thread, for every epoch that has been analysed. */
static void told(const egs_report *report, const egs_verdict *verdict, void *user) {
  size_t row;
  (void)user;
  printf("  spectra of epoch %.0f:", verdict->epoch);
  for (row = 0; row < egs_report_rows(report); row++) {
    const char *name = "";
    double alpha;
    if (egs_report_text(report, row, "name", &name, NULL) == EGS_OK
        && egs_report_number(report, row, "alpha", &alpha, NULL) == EGS_OK && alpha == alpha)
      printf(" %s alpha %.2f", name, alpha);
  }
  printf("%s%s\n", verdict->level == EGS_VERDICT_NONE ? "" : "; ", verdict->level == EGS_VERDICT_NONE ? "" : verdict->reason);
}

/* Hands every tensor over; a copy each, and then the optimizer may go on. */
static void submit(egs_monitor *monitor, const mlp *net, int epoch, double loss) {
  egs_error *error = NULL;
  int i;
  for (i = 0; i < MLP_LAYERS; i++) {
    const mlp_layer *layer = &net->layers[i];
    const int64_t shape[2] = {layer->outputs, layer->inputs};
    egs_tensor tensor = EGS_INIT(egs_tensor);
    char name[16];
    tensor.dtype = EGS_F32;
    tensor.shape = shape;
    tensor.ndim = 2;
    tensor.data = layer->weight;
    snprintf(name, sizeof name, "%s.weight", layer->name);
    if (egs_monitor_submit(monitor, name, &tensor, EGS_ROLE_WEIGHT, &error) != EGS_OK) complain(&error);
    tensor.ndim = 1;
    tensor.data = layer->bias;
    snprintf(name, sizeof name, "%s.bias", layer->name);
    if (egs_monitor_submit(monitor, name, &tensor, EGS_ROLE_WEIGHT, &error) != EGS_OK) complain(&error);
  }
  if (egs_monitor_commit(monitor, (uint64_t)epoch, epoch, loss, &error) != EGS_OK) complain(&error);
}

/* Reads all that is new and keeps the most urgent alarm; asks for snapshots are no alarm. */
static void listen(egs_monitor *monitor, egs_verdict *worst) {
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_error *error = NULL;
  for (;;) {
    if (egs_monitor_poll(monitor, 0, &verdict, &error) != EGS_OK) {
      complain(&error);
      break;
    }
    if (!verdict.fresh) break;
    if (verdict.level > worst->level && verdict.level != EGS_VERDICT_SNAPSHOT) *worst = verdict;
  }
}

int main(int argc, char **argv) {
  static mlp_data data;
  int epochs = 20, watched = 1, i, epoch;
  double learning_rate = 0.05, training = 0;
  uint64_t seed = 1;
  egs_monitor *monitor = NULL;
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_error *error = NULL;
  mlp *net;
  for (i = 2; i < argc; i++) {
    if (!strcmp(argv[i], "--no-monitor")) watched = 0;
    else if (!strcmp(argv[i], "--epochs") && i + 1 < argc) epochs = atoi(argv[++i]);
    else if (!strcmp(argv[i], "--lr") && i + 1 < argc) learning_rate = atof(argv[++i]);
    else if (!strcmp(argv[i], "--seed") && i + 1 < argc) seed = strtoull(argv[++i], NULL, 10);
    else argc = 0;
  }
  if (argc < 2) {
    fprintf(stderr, "usage: %s digits.bin [--epochs N] [--lr X] [--seed N] [--no-monitor]\n", argv[0]);
    return 2;
  }
  if (mlp_data_read(&data, argv[1]) != 0) {
    fprintf(stderr, "%s: not the digits that examples/mlp/make_digits.py makes\n", argv[1]);
    return 1;
  }
  if (!(net = mlp_new(seed))) return 1;
  if (watched) {
    egs_monitor_options options = EGS_INIT(egs_monitor_options);
    options.flags = EGS_MONITOR_CALL_IN_POLL;
    /* Epochs here take less time than some analyses: let them wait in line, for none is to be missed. */
    options.queue = 64;
    options.on_epoch = told;
    if (egs_monitor_open(&options, &monitor, &error) != EGS_OK) complain(&error);
  }
  printf("eigenscope %s; learning rate %g\n", egs_version_string(), learning_rate);
  for (epoch = 1; epoch <= epochs && verdict.level != EGS_VERDICT_STOP; epoch++) {
    const double start = seconds();
    const double loss = mlp_train(net, &data, (float)learning_rate, 0.9f);
    if (monitor) submit(monitor, net, epoch, loss);
    training += seconds() - start;
    printf("epoch %d: loss %.4f, accuracy %.3f\n", epoch, loss, mlp_accuracy(net, &data));
    if (monitor) listen(monitor, &verdict);
  }
  epoch--;
  if (monitor) {
    int32_t idle = 0;
    if (egs_monitor_wait(monitor, 60000, &idle, &error) != EGS_OK) complain(&error);
    listen(monitor, &verdict);
  }
  if (verdict.level != EGS_VERDICT_NONE)
    printf("%s at epoch %.0f, %s: %s\n", verdict.level == EGS_VERDICT_STOP ? "STOP" : "WARN", verdict.epoch, verdict.layer, verdict.reason);
  printf("%d epochs, %.2f ms each\n", epoch, 1e3 * training / (epoch ? epoch : 1));
  egs_monitor_close(monitor);
  mlp_free(net);
  return 0;
}
