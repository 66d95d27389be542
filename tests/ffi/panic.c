/* A panic inside the release library, provoked without a back door: this program's clock_gettime() takes the place of libc's, and when it
 * fails, Rust's clock panics. It must come back as EGS_ERR_PANIC, poison that object only, and print nothing. */
#define _POSIX_C_SOURCE 200809L
#include <eigenscope/eigenscope.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

long syscall(long number, ...);

static volatile int broken;

int clock_gettime(clockid_t clock, struct timespec *now) {
  if (broken) {
    errno = EINVAL;
    return -1;
  }
  return (int)syscall(SYS_clock_gettime, clock, now);
}

int main(int argc, char **argv) {
  egs_monitor *monitor = NULL, *other = NULL;
  egs_verdict verdict = EGS_INIT(egs_verdict);
  egs_counters counters = EGS_INIT(egs_counters);
  egs_error *error = NULL;
  char path[1024];
  struct stat printed;
  int keep[2], file;
  snprintf(path, sizeof path, "%.900s/printed", argc > 1 ? argv[1] : ".");
  OK(egs_monitor_open(NULL, &monitor, &error));
  OK(egs_monitor_open(NULL, &other, &error));
  OK(egs_monitor_poll(monitor, 1, &verdict, &error));

  file = open(path, O_CREAT | O_TRUNC | O_WRONLY, 0600);
  CHECK(file >= 0);
  keep[0] = dup(1);
  keep[1] = dup(2);
  dup2(file, 1);
  dup2(file, 2);
  broken = 1;
  {
    egs_status status = egs_monitor_poll(monitor, 1, &verdict, &error);
    broken = 0;
    dup2(keep[0], 1);
    dup2(keep[1], 2);
    CHECK(status == EGS_ERR_PANIC);
  }
  CHECK(egs_error_code(error) == EGS_ERR_PANIC && strstr(egs_error_message(error), "internal error"));
  printf("the panic said: %s\n", egs_error_message(error));
  egs_error_free(error);
  error = NULL;
  CHECK(fstat(file, &printed) == 0 && printed.st_size == 0);
  close(file);
  remove(path);

  REFUSED(egs_monitor_poll(monitor, 1, &verdict, &error), EGS_ERR_PANIC, "earlier call");
  REFUSED(egs_monitor_counters(monitor, &counters, &error), EGS_ERR_PANIC, "earlier call");
  OK(egs_monitor_poll(other, 1, &verdict, &error)); /* the others go on */
  egs_monitor_close(monitor);
  egs_monitor_close(other);
  return checked("panic");
}
