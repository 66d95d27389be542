/* What every test program here uses: checks that say what they expected, counted. */
#ifndef CHECK_H
#define CHECK_H
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int checks, failures;

/* Says where, and goes on. */
#define CHECK(condition)                                                              \
  do {                                                                                \
    checks++;                                                                         \
    if (!(condition)) {                                                               \
      failures++;                                                                     \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);         \
    }                                                                                 \
  } while (0)

#define CHECK_NEAR(found, expected, tolerance)                                                                   \
  do {                                                                                                           \
    double found_ = (found), expected_ = (expected);                                                             \
    checks++;                                                                                                    \
    if (!(found_ >= expected_ - (tolerance) && found_ <= expected_ + (tolerance))) {                             \
      failures++;                                                                                                \
      fprintf(stderr, "%s:%d: %s is %.17g, not %.17g\n", __FILE__, __LINE__, #found, found_, expected_);         \
    }                                                                                                            \
  } while (0)

/* A call that must fail with this status and an error that says this; clears `error`. */
#define REFUSED(call, status, words)                                                                             \
  do {                                                                                                           \
    egs_status status_ = (call);                                                                                 \
    checks++;                                                                                                    \
    if (status_ != (status) || egs_error_code(error) != (status) || !strstr(egs_error_message(error), (words))) { \
      failures++;                                                                                                \
      fprintf(stderr, "%s:%d: %s\n  gave %s: %s\n  not %s: ...%s...\n", __FILE__, __LINE__, #call,               \
              egs_status_name(status_), egs_error_message(error), egs_status_name(status), (words));             \
    }                                                                                                            \
    egs_error_free(error);                                                                                       \
    error = NULL;                                                                                                \
  } while (0)

/* A call that must succeed; shows its error otherwise. */
#define OK(call)                                                                                                 \
  do {                                                                                                           \
    egs_status status_ = (call);                                                                                 \
    checks++;                                                                                                    \
    if (status_ != EGS_OK) {                                                                                     \
      failures++;                                                                                                \
      fprintf(stderr, "%s:%d: %s\n  gave %s: %s\n", __FILE__, __LINE__, #call, egs_status_name(status_),         \
              egs_error_message(error));                                                                         \
      egs_error_free(error);                                                                                     \
      error = NULL;                                                                                              \
    }                                                                                                            \
  } while (0)

static inline int checked(const char *program) {
  printf("%s: %d checks, %d failed\n", program, checks, failures);
  return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* The same pseudo-random numbers everywhere: xorshift, uniform in -1 to 1. */
static unsigned long long seed = 88172645463325252ull;
static inline double noise(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return (double)(seed >> 11) / 4503599627370496.0 - 1.0;
}

#endif
