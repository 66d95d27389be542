// eigenscope.hpp with EGS_NO_EXCEPTIONS, compiled with -fno-exceptions: every refusal is a Result that says why.
#define EGS_NO_EXCEPTIONS
#include <eigenscope/eigenscope.hpp>

#include "check.h"

namespace egs = eigenscope;

template <class T>
static bool refused(const egs::Result<T> &result, egs_status code, const char *words) {
  const egs::Failure &failure = result.failure();
  return !result && !result.ok() && failure.code == code && failure.message.find(words) != std::string::npos;
}

int main() {
  std::vector<float> weights(60 * 40);
  for (float &w : weights) w = static_cast<float>(noise());
  egs::Tensor tensor(weights.data(), {60, 40});
  egs::EngineOptions many;
  many.threads = 1000000;
  CHECK(refused(egs::Engine::create(many), EGS_ERR_INVALID_ARGUMENT, "threads"));
  egs::Result<egs::Engine> engine = egs::Engine::create();
  CHECK(engine.ok());
  egs::Result<egs::Report> report = engine.value().analyze("fc.weight", tensor);
  CHECK(report && report.value().rows() == 1 && report.value().number(0, "alpha").value() > 1);
  CHECK(report.value().text(0, "status").value() == "success");
  CHECK(refused(report.value().number(0, "alfa"), EGS_ERR_NOT_FOUND, "'alfa'"));
  CHECK(!report.value().number(0, "alfa").failure().advice.empty());
  CHECK(refused(engine.value().analyze_file("/nowhere"), EGS_ERR_NOT_FOUND, "/nowhere"));
  CHECK(refused(egs::fit({-1.0, 2.0}), EGS_ERR_INVALID_ARGUMENT, "values[0]"));

  egs::Result<egs::Monitor> monitor = egs::Monitor::create();
  CHECK(monitor && refused(monitor.value().commit(1), EGS_ERR_INVALID_STATE, "nothing was submitted"));
  CHECK(monitor.value().submit("fc.weight", tensor).ok() && monitor.value().commit(1, 0.5, 2.0).ok());
  egs::Result<egs::Verdict> verdict = monitor.value().poll(60000);
  CHECK(verdict && verdict.value().fresh && verdict.value().step == 1);
  CHECK(monitor.value().multipliers().value().size() == 1);
  return checked("results");
}
