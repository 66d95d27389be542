/* What a guest must not do: this program's getenv, sigaction, atexit and the like take the place of libc's and count. */
#define _GNU_SOURCE
#include <eigenscope/eigenscope.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <fenv.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static int environment, handlers, exits;
static char asked[256];

/* libc itself asks for some (in the locale, in malloc); those do not come this way. */
char *getenv(const char *name) {
  char *(*real)(const char *) = NULL;
  *(void **)&real = dlsym(RTLD_NEXT, "getenv");
  environment++;
  snprintf(asked, sizeof asked, "%s", name);
  return real(name);
}

int sigaction(int number, const struct sigaction *action, struct sigaction *old) {
  int (*real)(int, const struct sigaction *, struct sigaction *) = NULL;
  *(void **)&real = dlsym(RTLD_NEXT, "sigaction");
  handlers += action != NULL;
  return real(number, action, old);
}

int atexit(void (*function)(void)) {
  (void)function;
  exits++;
  return 0;
}

static volatile sig_atomic_t handled_elsewhere;
static pthread_t main_thread;
static void handle(int number) {
  (void)number;
  if (!pthread_equal(pthread_self(), main_thread)) handled_elsewhere = 1;
}

int main(int argc, char **argv) {
  static float weights[80 * 50];
  const int64_t shape[2] = {80, 50};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine_options options = EGS_INIT(egs_engine_options);
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_engine *engine = NULL;
  egs_monitor *monitor = NULL;
  egs_report *report = NULL;
  egs_error *error = NULL;
  struct stat printed;
  char path[1024];
  int i, keep[2], file, rounding = fegetround(), before = handlers;
  main_thread = pthread_self();
  for (i = 0; i < 80 * 50; i++) weights[i] = (float)noise();
  snprintf(path, sizeof path, "%.900s/printed-by-manners", argc > 1 ? argv[1] : ".");
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;
  options.threads = 3;
  signal(SIGUSR1, handle);
  before = handlers;
  environment = 0;

  file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  keep[0] = dup(1);
  keep[1] = dup(2);
  dup2(file, 1);
  dup2(file, 2);
  OK(egs_engine_new(&options, &engine, &error));
  OK(egs_analyze_tensor(engine, "fc", &tensor, NULL, &report, &error));
  weights[3] = 1e30f * 1e30f; /* a verdict, and its words, go nowhere but back */
  OK(egs_monitor_open(NULL, &monitor, &error));
  OK(egs_monitor_submit(monitor, "fc", &tensor, 0, &error));
  OK(egs_monitor_commit(monitor, 1, 0, 0, &error));
  OK(egs_monitor_poll(monitor, 60000, &verdict, &error));
  for (i = 0; i < 50; i++) kill(getpid(), SIGUSR1); /* for the host's threads, never for ours */
  egs_analyze_file(engine, "/nowhere", NULL, &report, NULL);
  egs_report_free(report);
  egs_monitor_close(monitor);
  egs_engine_free(engine);
  fflush(NULL);
  dup2(keep[0], 1);
  dup2(keep[1], 2);

  CHECK(fstat(file, &printed) == 0 && printed.st_size == 0);
  remove(path);
  CHECK(environment == 0);
  if (environment) fprintf(stderr, "the environment was asked %d times, last for %s\n", environment, asked);
  CHECK(handlers == before && exits == 0);
  CHECK(!handled_elsewhere);
  CHECK(fegetround() == rounding);
  return checked("manners");
}
