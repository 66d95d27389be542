// eigenscope.hpp with exceptions: ownership, moves, callbacks that throw, every function once.
#include <eigenscope/arrow.h>
#include <eigenscope/dlpack.h>
#include <eigenscope/eigenscope.hpp>
#include <eigenscope/plugin.h>

#include <atomic>
#include <optional>
#include <type_traits>

#include "check.h"

namespace egs = eigenscope;

static_assert(std::is_nothrow_move_constructible_v<egs::Engine> && !std::is_copy_constructible_v<egs::Engine>);
static_assert(std::is_nothrow_move_constructible_v<egs::Monitor> && !std::is_copy_constructible_v<egs::Monitor>);
static_assert(std::is_nothrow_move_constructible_v<egs::Report> && !std::is_copy_constructible_v<egs::Report>);
static_assert(std::is_nothrow_move_constructible_v<egs::Esd> && !std::is_copy_constructible_v<egs::Esd>);

static const int64_t rows = 60, cols = 40;
static std::vector<float> weights;

static egs::Tensor dense() { return egs::Tensor(weights.data(), {rows, cols}); }

static void fill() {
  weights.resize(rows * cols);
  for (float &w : weights) w = static_cast<float>(noise());
}

// The code of the egs::Error that `f` throws; the words must be in its message.
template <class F>
static egs_status thrown(F &&f, const char *words) {
  try {
    f();
  } catch (const egs::Error &e) {
    if (!std::strstr(e.what(), words)) std::fprintf(stderr, "threw: %s\n", e.what());
    return std::strstr(e.what(), words) ? e.code() : -2;
  }
  return -1;
}

// What a callback of ours throws must come out of the call as it went in.
struct Mine {
  int number;
};
template <class F>
static int caught(F &&f) {
  try {
    f();
  } catch (const Mine &mine) {
    return mine.number;
  }
  return 0;
}

static void analyses() {
  egs::Engine engine;
  CHECK(engine.loaders().size() >= 4 && engine.loaders()[0] == "safetensors");
  egs::Report report = engine.analyze("fc.weight", dense());
  CHECK(report.rows() == 1 && report.columns() > 30 && report.column_name(0) == "layer_id" && report.column_name(999).empty());
  double alpha = report.number(report.find("fc.weight"), "alpha");
  CHECK(alpha > 1 && report.mean("alpha") == alpha && report.text(0, "status") == "success");
  CHECK(report.json().find("\"longname\": \"fc.weight\"") != std::string::npos && report.csv().rfind("layer_id,", 0) == 0);
  ArrowArrayStream stream;
  report.arrow(&stream);
  CHECK(stream.release != nullptr);
  stream.release(&stream);

  egs::Report moved = std::move(report);
  CHECK(moved.rows() == 1);
  moved = engine.analyze({{"a.weight", dense()}, {"b.weight", egs::Tensor(weights.data(), EGS_F32, {cols, rows}).strides({1, cols})}});
  CHECK(moved.rows() == 2);
  CHECK_NEAR(moved.number(1, "alpha"), moved.number(0, "alpha"), 1e-9);
  egs::Engine other = std::move(engine);
  CHECK(other.analyze("fc", dense()).number(0, "alpha") == alpha);
  CHECK(thrown([&] { engine.analyze("fc", dense()); }, "engine is NULL") == EGS_ERR_INVALID_ARGUMENT);  // moved from
  engine = std::move(other);
  CHECK(engine.analyze("fc", dense()).rows() == 1);

  egs::Esd esd = engine.esd("fc", dense());
  CHECK(esd.size() == static_cast<size_t>(cols) && esd.end() - esd.begin() == cols && esd.fit().alpha == alpha);
  CHECK(egs::fit(std::vector<double>(esd.begin(), esd.end())).alpha == alpha);

  CHECK(thrown([&] { engine.analyze_file("/nowhere/model.onnx"); }, "/nowhere") == EGS_ERR_NOT_FOUND);
  CHECK(thrown([&] { engine.analyze_buffer("m.safetensors", "xx", 2); }, "m.safetensors") != -1);
  CHECK(thrown([&] { engine.analyze_dlpack("fc", nullptr); }, "tensor is NULL") == EGS_ERR_INVALID_ARGUMENT);
  CHECK(thrown([&] { engine.esd_of_file("/nowhere", "fc"); }, "/nowhere") == EGS_ERR_NOT_FOUND);
  CHECK(thrown([&] { engine.load_plugins("/nowhere/at-all.so"); }, "at-all.so") == EGS_ERR_NOT_FOUND);
  CHECK(thrown([&] { engine.register_loader(nullptr); }, "NULL") == EGS_ERR_INVALID_ARGUMENT);
  CHECK(thrown([&] { (void)moved.number(0, "alfa"); }, "'alfa'") == EGS_ERR_NOT_FOUND);
  CHECK(thrown([&] { engine.analyze("fc", dense().strides({1})); }, "ndim") == EGS_ERR_INVALID_ARGUMENT);
  CHECK(thrown([&] { engine.analyze("fc", dense().kind(99)); }, "kind") == EGS_ERR_INVALID_ARGUMENT);
  CHECK(thrown([&] { engine.analyze("fc", dense().layout(99)); }, "layout") == EGS_ERR_INVALID_ARGUMENT);
  egs::EngineOptions many;
  many.threads = 1000000;
  CHECK(thrown([&] { egs::Engine refused(many); }, "threads") == EGS_ERR_INVALID_ARGUMENT);
}

static void progress_that_throws_cancels_and_comes_out() {
  egs::Engine engine;
  egs::AnalysisOptions options;
  int calls = 0;
  options.progress = [&](const egs_progress &p) { return ++calls, p.done <= p.total; };
  CHECK(engine.analyze("fc", dense(), options).rows() == 1 && calls == 1);
  options.progress = [](const egs_progress &) { return false; };
  CHECK(thrown([&] { engine.analyze("fc", dense(), options); }, "cancelled") == EGS_ERR_CANCELLED);
  options.progress = [](const egs_progress &) -> bool { throw Mine{7}; };
  CHECK(caught([&] { engine.analyze("fc", dense(), options); }) == 7);
  CHECK(engine.analyze("fc", dense()).rows() == 1);  // kept once, not for ever
}

static void a_log_that_throws_comes_out_of_the_call() {
  egs::EngineOptions options;
  bool angry = true;
  options.log_level = EGS_LOG_DEBUG;
  options.log = [&](int32_t, std::string_view, std::string_view) {
    if (angry) throw Mine{8};
  };
  CHECK(caught([&] { egs::Engine engine(options); }) == 8);
  angry = false;
  egs::Engine engine(options);
  angry = true;
  CHECK(caught([&] { engine.analyze("fc", dense()); }) == 8);
  angry = false;
  CHECK(engine.analyze("fc", dense()).rows() == 1);
}

static void a_run() {
  std::atomic<int> epochs{0}, alarms{0};
  egs::MonitorOptions options;
  options.on_epoch = [&](const egs::ReportView &report, const egs::Verdict &v) { epochs += report.rows() == 1 && v.fresh; };
  options.on_alarm = [&](const egs::ReportView &, const egs::Verdict &v) { alarms += v.level == egs::Level::stop; };
  options.analysis.min_evals = 10;
  egs::Monitor monitor(options);
  CHECK(monitor.verdict().level == egs::Level::none && !monitor.verdict().fresh && !monitor.poll().fresh);
  CHECK(thrown([&] { monitor.commit(1); }, "nothing was submitted") == EGS_ERR_INVALID_STATE);
  CHECK(thrown([&] { (void)monitor.report(); }, "no commit") == EGS_ERR_NOT_FOUND);
  monitor.submit("fc.weight", dense());
  monitor.metric("accuracy", 0.75);
  monitor.commit(10, 1, 0.5);
  egs::Verdict verdict = monitor.poll(60000);
  CHECK(verdict.fresh && verdict.step == 10 && verdict.epoch == 1 && verdict.level != egs::Level::stop);
  egs::Monitor moved = std::move(monitor);
  CHECK(thrown([&] { monitor.poll(); }, "monitor is NULL") == EGS_ERR_INVALID_ARGUMENT);  // moved from
  weights[3] = std::nanf("");
  moved.submit("fc.weight", dense());
  moved.commit(20, 2);
  CHECK(moved.wait(60000) && epochs == 2 && alarms == 1);
  verdict = moved.verdict();
  CHECK(verdict.level == egs::Level::stop && (verdict.flags & EGS_NON_FINITE) && verdict.layer == "fc.weight");
  CHECK(verdict.reason.find("fc.weight") != std::string::npos);
  CHECK(moved.report().number(0, "step") == 20 && moved.history().number(0, "own:accuracy") == 0.75);
  CHECK(moved.counters().analyzed == 2 && moved.multipliers().size() == 1);
  moved.submit("fc.weight", dense());
  moved.discard();
  CHECK(thrown([&] { moved.submit_dlpack("fc", nullptr); }, "tensor is NULL") == EGS_ERR_INVALID_ARGUMENT);
  moved = egs::Monitor();
  CHECK(moved.counters().commits == 0);
  fill();
}

static void monitor_callbacks_that_throw_come_out_of_the_next_call() {
  for (uint64_t flags : {uint64_t{0}, EGS_MONITOR_CALL_IN_POLL}) {
    egs::MonitorOptions options;
    options.flags = flags;
    options.on_epoch = [](const egs::ReportView &, const egs::Verdict &) { throw Mine{9}; };
    egs::Monitor monitor(options);
    monitor.submit("fc.weight", dense());
    monitor.commit(1);
    CHECK(caught([&] { monitor.wait(60000), monitor.poll(60000); }) == 9);
    CHECK(monitor.poll().fresh == (flags == 0));  // a poll that throws has taken its verdict; verdict() still has it
    CHECK(monitor.verdict().fresh);
    CHECK(monitor.counters().analyzed == 1 && monitor.counters().failed == 0);  // it goes on
  }
}

// The log function of an engine that ended before the monitor that logs with it.
static void an_engine_may_end_before_its_monitor() {
  auto lines = std::make_shared<std::atomic<int>>(0);
  egs::EngineOptions options;
  options.log_level = EGS_LOG_DEBUG;
  options.log = [lines](int32_t, std::string_view target, std::string_view) { *lines += target == "monitor"; };
  std::optional<egs::Engine> engine(std::in_place, options);
  egs::Monitor monitor({}, &*engine);
  engine.reset();
  monitor.submit("fc.weight", dense());
  monitor.commit(1);
  CHECK(*lines > 0);
}

int main() {
  fill();
  analyses();
  progress_that_throws_cancels_and_comes_out();
  a_log_that_throws_comes_out_of_the_call();
  a_run();
  monitor_callbacks_that_throw_come_out_of_the_next_call();
  an_engine_may_end_before_its_monitor();
  return checked("exceptions");
}
