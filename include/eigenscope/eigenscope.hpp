// eigenscope/eigenscope.hpp -- the C++17 face of eigenscope.h. Header-only.
//
// One move-only class for each handle; text goes in as std::string_view and comes out as std::string. No type of the standard library
// crosses into the library, so trainer and engine may be built by different compilers, with either std::string ABI.
//
// Errors are exceptions of type eigenscope::Error. With EGS_NO_EXCEPTIONS defined (for -fno-exceptions) every function that can fail
// returns a Result<T> instead, and objects are made by Type::create().
//
// An exception that leaves one of your callbacks cannot pass through the engine: it is kept, the analysis under way is cancelled,
// and the call that caused it (for a monitor's callbacks: its next call) rethrows it.
#ifndef EIGENSCOPE_HPP
#define EIGENSCOPE_HPP

#include "eigenscope.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <functional>
#include <initializer_list>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>
#ifndef EGS_NO_EXCEPTIONS
#include <exception>
#include <stdexcept>
#endif

namespace eigenscope {
// Two names, so that files compiled with and without exceptions may meet in one program.
#ifdef EGS_NO_EXCEPTIONS
inline namespace v0_results {
#else
inline namespace v0 {
#endif

// ---- Errors ------------------------------------------------------------------------------------------------------------------

// Why a call failed.
struct Failure {
  egs_status code = EGS_OK;
  std::string message;
  std::string advice;  // what to do about it; may be empty
};

#ifdef EGS_NO_EXCEPTIONS

// A value, or why there is none.
template <class T>
class Result {
 public:
  Result(T value) : value_(std::make_unique<T>(std::move(value))) {}
  Result(Failure failure) : failure_(std::move(failure)) {}
  bool ok() const noexcept { return value_ != nullptr; }
  explicit operator bool() const noexcept { return ok(); }
  T &value() noexcept { return *value_; }  // only if ok()
  const T &value() const noexcept { return *value_; }
  const Failure &failure() const noexcept { return failure_; }

 private:
  std::unique_ptr<T> value_;
  Failure failure_;
};

template <>
class Result<void> {
 public:
  Result() = default;
  Result(Failure failure) : failure_(std::move(failure)) {}
  bool ok() const noexcept { return failure_.code == EGS_OK; }
  explicit operator bool() const noexcept { return ok(); }
  const Failure &failure() const noexcept { return failure_; }

 private:
  Failure failure_;
};

template <class T>
using Returned = Result<T>;

#else

// A failed call.
class Error : public std::runtime_error {
 public:
  explicit Error(Failure failure) : std::runtime_error(failure.message), failure_(std::move(failure)) {}
  egs_status code() const noexcept { return failure_.code; }
  const std::string &advice() const noexcept { return failure_.advice; }

 private:
  Failure failure_;
};

template <class T>
using Returned = T;

#endif

namespace detail {

template <auto End>
struct Deleter {
  template <class T>
  void operator()(T *object) const noexcept {
    End(object);
  }
};

// Collects the error of one call.
class Call {
 public:
  Call() = default;
  Call(const Call &) = delete;
  Call &operator=(const Call &) = delete;
  ~Call() { egs_error_free(error_); }
  egs_error **error() noexcept { return &error_; }

  Failure failure(egs_status status) const {
    Failure failure;
    failure.code = status;
    failure.message = error_ ? egs_error_message(error_) : egs_status_name(status);
    failure.advice = egs_error_advice(error_);
    return failure;
  }

  template <class T>
  Returned<T> returns(egs_status status, T &&value) const {
    if (status != EGS_OK) return refuse<T>(status);
    return Returned<T>(std::forward<T>(value));
  }

  Returned<void> returns(egs_status status) const {
    if (status != EGS_OK) return refuse<void>(status);
    return Returned<void>();
  }

 private:
  template <class T>
  Returned<T> refuse(egs_status status) const {
#ifdef EGS_NO_EXCEPTIONS
    return Result<T>(failure(status));
#else
    throw Error(failure(status));
#endif
  }

  egs_error *error_ = nullptr;
};

// Runs callbacks, and keeps the first exception that leaves one.
class Trap {
 public:
  template <class F>
  bool run(F &&callback) noexcept {
#ifdef EGS_NO_EXCEPTIONS
    callback();
    return true;
#else
    try {
      callback();
      return true;
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!caught_) caught_ = std::current_exception();
      return false;
    }
#endif
  }

  void rethrow() {
#ifndef EGS_NO_EXCEPTIONS
    std::exception_ptr caught;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      std::swap(caught, caught_);
    }
    if (caught) std::rethrow_exception(caught);
#endif
  }

 private:
#ifndef EGS_NO_EXCEPTIONS
  std::mutex mutex_;
  std::exception_ptr caught_;
#endif
};

// Text for C, or NULL where there is none.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}
  const char *get() const noexcept { return text_.c_str(); }
  const char *or_null() const noexcept { return text_.empty() ? nullptr : text_.c_str(); }

 private:
  std::string text_;
};

template <class T> struct Dtype;
template <> struct Dtype<double> { static constexpr int32_t code = EGS_F64; };
template <> struct Dtype<float> { static constexpr int32_t code = EGS_F32; };
template <> struct Dtype<int64_t> { static constexpr int32_t code = EGS_I64; };
template <> struct Dtype<int32_t> { static constexpr int32_t code = EGS_I32; };
template <> struct Dtype<int16_t> { static constexpr int32_t code = EGS_I16; };
template <> struct Dtype<int8_t> { static constexpr int32_t code = EGS_I8; };
template <> struct Dtype<uint64_t> { static constexpr int32_t code = EGS_U64; };
template <> struct Dtype<uint32_t> { static constexpr int32_t code = EGS_U32; };
template <> struct Dtype<uint16_t> { static constexpr int32_t code = EGS_U16; };
template <> struct Dtype<uint8_t> { static constexpr int32_t code = EGS_U8; };
template <> struct Dtype<bool> { static constexpr int32_t code = EGS_BOOL; };

}  // namespace detail

// ---- Tensors -----------------------------------------------------------------------------------------------------------------

// A view of your memory: Tensor(weights, {128, 784}). Shape and strides are copied, the elements are not.
class Tensor {
 public:
  template <class T>
  Tensor(const T *data, std::initializer_list<int64_t> shape)
      : Tensor(data, detail::Dtype<T>::code, std::vector<int64_t>(shape)) {}
  template <class T>
  Tensor(const T *data, std::vector<int64_t> shape) : Tensor(data, detail::Dtype<T>::code, std::move(shape)) {}
  // For types C++ has no name for: EGS_BF16, EGS_F16, ...
  Tensor(const void *data, int32_t dtype, std::vector<int64_t> shape)
      : data_(data), dtype_(dtype), shape_(std::move(shape)) {}

  Tensor &strides(std::vector<int64_t> in_elements) { strides_ = std::move(in_elements); strided_ = true; return *this; }
  Tensor &kind(int32_t egs_kind) noexcept { kind_ = egs_kind; return *this; }
  Tensor &layout(int32_t egs_layout) noexcept { layout_ = egs_layout; return *this; }

  // For C; points into this object.
  egs_tensor raw() const noexcept {
    egs_tensor t = EGS_INIT(egs_tensor);
    t.data = data_;
    t.shape = shape_.data();
    t.strides = strided_ ? strides_.data() : nullptr;
    // Strides of another number than axes would be read beyond their end; no ndim is as wrong.
    t.ndim = strided_ && strides_.size() != shape_.size() ? -1 : static_cast<int32_t>(shape_.size());
    t.dtype = dtype_;
    t.kind = kind_;
    t.layout = layout_;
    return t;
  }

 private:
  const void *data_;
  int32_t dtype_;
  int32_t kind_ = EGS_KIND_AUTO;
  int32_t layout_ = EGS_LAYOUT_OUT_IN_SPATIAL;
  bool strided_ = false;
  std::vector<int64_t> shape_;
  std::vector<int64_t> strides_;
};

// ---- Reports -----------------------------------------------------------------------------------------------------------------

// A report that somebody else owns, such as the one a callback is given.
class ReportView {
 public:
  explicit ReportView(const egs_report *report) noexcept : report_(report) {}

  size_t rows() const noexcept { return egs_report_rows(report_); }
  size_t columns() const noexcept { return egs_report_columns(report_); }
  std::string column_name(size_t column) const {
    const char *name = egs_report_column_name(report_, column);
    return name ? name : "";
  }

  Returned<size_t> find(std::string_view layer) const {
    detail::Call call;
    size_t row = 0;
    egs_status status = egs_report_find(report_, detail::Words(layer).get(), &row, call.error());
    return call.returns<size_t>(status, std::move(row));
  }
  Returned<double> number(size_t row, std::string_view column) const {
    detail::Call call;
    double value = 0;
    egs_status status = egs_report_number(report_, row, detail::Words(column).get(), &value, call.error());
    return call.returns<double>(status, std::move(value));
  }
  Returned<std::string> text(size_t row, std::string_view column) const {
    detail::Call call;
    const char *words = "";
    egs_status status = egs_report_text(report_, row, detail::Words(column).get(), &words, call.error());
    return call.returns<std::string>(status, std::string(words));
  }
  Returned<double> mean(std::string_view column) const {
    detail::Call call;
    double value = 0;
    egs_status status = egs_report_mean(report_, detail::Words(column).get(), &value, call.error());
    return call.returns<double>(status, std::move(value));
  }
  Returned<std::string> json() const {
    detail::Call call;
    const char *words = "";
    egs_status status = egs_report_json(report_, &words, call.error());
    return call.returns<std::string>(status, std::string(words));
  }
  Returned<std::string> csv() const {
    detail::Call call;
    const char *words = "";
    egs_status status = egs_report_csv(report_, &words, call.error());
    return call.returns<std::string>(status, std::string(words));
  }
  // See egs_report_arrow().
  Returned<void> arrow(ArrowArrayStream *out) const {
    detail::Call call;
    return call.returns(egs_report_arrow(report_, out, call.error()));
  }
  const egs_report *capi() const noexcept { return report_; }

 private:
  const egs_report *report_;
};

// A report of one's own.
class Report : public ReportView {
 public:
  explicit Report(egs_report *report) noexcept : ReportView(report), owner_(report) {}

 private:
  std::unique_ptr<egs_report, detail::Deleter<egs_report_free>> owner_;
};

// ---- Spectra -----------------------------------------------------------------------------------------------------------------

// The eigenvalues of a layer and the power law fitted to their tail.
class Esd {
 public:
  explicit Esd(egs_esd *esd) noexcept : esd_(esd) {}

  size_t size() const noexcept { return egs_esd_count(esd_.get()); }
  const double *begin() const noexcept { return egs_esd_values(esd_.get()); }
  const double *end() const noexcept { return begin() + size(); }
  Returned<egs_fit> fit() const {
    detail::Call call;
    egs_fit fit = EGS_INIT(egs_fit);
    egs_status status = egs_esd_fit(esd_.get(), &fit, call.error());
    return call.returns<egs_fit>(status, std::move(fit));
  }
  const egs_esd *capi() const noexcept { return esd_.get(); }

 private:
  std::unique_ptr<egs_esd, detail::Deleter<egs_esd_free>> esd_;
};

// ---- Analyses ----------------------------------------------------------------------------------------------------------------

// Options of one analysis; see egs_analysis_options.
struct AnalysisOptions {
  uint64_t flags = 0;  // EGS_ANALYZE_*
  uint64_t min_evals = 0;
  uint64_t max_evals = 0;
  uint64_t max_n = 0;
  std::string layers;
  std::string conventions;
  std::string format;
  std::string json;
  std::function<bool(const egs_progress &)> progress;  // false cancels
};

namespace detail {

// The C struct of some options, for the length of one call.
class Analysis {
 public:
  explicit Analysis(const AnalysisOptions &options) : options_(options) {
    raw_ = EGS_INIT(egs_analysis_options);
    raw_.flags = options.flags;
    raw_.min_evals = options.min_evals;
    raw_.max_evals = options.max_evals;
    raw_.max_n = options.max_n;
    raw_.layers = or_null(options.layers);
    raw_.conventions = or_null(options.conventions);
    raw_.format = or_null(options.format);
    raw_.json = or_null(options.json);
    if (options.progress) {
      raw_.progress = &Analysis::progress;
      raw_.progress_user = this;
    }
  }
  Analysis(const Analysis &) = delete;
  Analysis &operator=(const Analysis &) = delete;
  const egs_analysis_options *raw() const noexcept { return &raw_; }
  void rethrow() { trap_.rethrow(); }

 private:
  static const char *or_null(const std::string &text) noexcept { return text.empty() ? nullptr : text.c_str(); }
  static int32_t progress(const egs_progress *progress, void *user) noexcept {
    auto *self = static_cast<Analysis *>(user);
    bool go_on = false;
    self->trap_.run([&] { go_on = self->options_.progress(*progress); });
    return go_on ? 0 : 1;
  }

  const AnalysisOptions &options_;
  egs_analysis_options raw_;
  Trap trap_;
};

}  // namespace detail

// ---- Engine ------------------------------------------------------------------------------------------------------------------

// Options of an engine; see egs_engine_options.
struct EngineOptions {
  uint64_t flags = 0;  // EGS_ENGINE_*
  uint32_t threads = 0;
  int32_t log_level = EGS_LOG_INFO;
  std::function<void(int32_t level, std::string_view target, std::string_view message)> log;  // on any thread
  std::string json;
  uint64_t max_memory = 0;  // bytes; 0: no limit
};

// Threads, loaders and a log function.
class Engine {
 public:
#ifndef EGS_NO_EXCEPTIONS
  explicit Engine(EngineOptions options = {}) : Engine(create(std::move(options))) {}
#endif
  static Returned<Engine> create(EngineOptions options = {}) {
    auto shared = std::make_shared<Shared>();
    shared->log = std::move(options.log);
    egs_engine_options raw = EGS_INIT(egs_engine_options);
    raw.flags = options.flags;
    raw.threads = options.threads;
    raw.max_memory = options.max_memory;
    raw.json = options.json.empty() ? nullptr : options.json.c_str();
    if (shared->log) {
      raw.log_level = options.log_level;
      raw.log = &Engine::log;
      raw.log_user = shared.get();
    }
    detail::Call call;
    egs_engine *engine = nullptr;
    egs_status status = egs_engine_new(&raw, &engine, call.error());
    Engine made(engine, std::move(shared));
    made.rethrow();
    return call.returns<Engine>(status, std::move(made));
  }

  Returned<Report> analyze_file(std::string_view path, const AnalysisOptions &options = {}) const {
    return report(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_analyze_file(engine, detail::Words(path).get(), raw, out, error);
    });
  }
  Returned<Report> analyze_buffer(std::string_view file_name, const void *data, size_t size,
                                  const AnalysisOptions &options = {}) const {
    return report(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_analyze_buffer(engine, detail::Words(file_name).get(), data, size, raw, out, error);
    });
  }
  Returned<Report> analyze(std::string_view name, const Tensor &tensor, const AnalysisOptions &options = {}) const {
    egs_tensor view = tensor.raw();
    return report(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_analyze_tensor(engine, detail::Words(name).get(), &view, raw, out, error);
    });
  }
  Returned<Report> analyze(const std::vector<std::pair<std::string, Tensor>> &tensors,
                           const AnalysisOptions &options = {}) const {
    std::vector<egs_tensor> views;
    std::vector<const char *> names;
    std::vector<const egs_tensor *> pointers;
    views.reserve(tensors.size());
    for (const auto &[name, tensor] : tensors) {
      views.push_back(tensor.raw());
      names.push_back(name.c_str());
      pointers.push_back(&views.back());
    }
    return report(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_analyze_tensors(engine, names.data(), pointers.data(), views.size(), raw, out, error);
    });
  }
  // Takes the tensor over, whatever happens.
  Returned<Report> analyze_dlpack(std::string_view name, DLManagedTensorVersioned *tensor,
                                  const AnalysisOptions &options = {}) const {
    return report(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_analyze_dlpack(engine, detail::Words(name).get(), tensor, raw, out, error);
    });
  }
  Returned<Esd> esd(std::string_view name, const Tensor &tensor, const AnalysisOptions &options = {}) const {
    egs_tensor view = tensor.raw();
    return analysis<Esd, egs_esd>(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_esd_of_tensor(engine, detail::Words(name).get(), &view, raw, out, error);
    });
  }
  Returned<Esd> esd_of_file(std::string_view path, std::string_view layer, const AnalysisOptions &options = {}) const {
    return analysis<Esd, egs_esd>(options, [&](auto *engine, auto *raw, auto **out, auto **error) {
      return egs_esd_of_file(engine, detail::Words(path).get(), detail::Words(layer).get(), raw, out, error);
    });
  }

  // "" searches the usual places; see egs_engine_load_plugins().
  Returned<size_t> load_plugins(std::string_view path) const {
    detail::Call call;
    size_t loaded = 0;
    egs_status status = egs_engine_load_plugins(engine_.get(), detail::Words(path).or_null(), &loaded, call.error());
    rethrow();
    return call.returns<size_t>(status, std::move(loaded));
  }
  Returned<void> register_loader(const egs_loader *loader) const {
    detail::Call call;
    egs_status status = egs_engine_register_loader(engine_.get(), loader, call.error());
    rethrow();
    return call.returns(status);
  }
  std::vector<std::string> loaders() const {
    std::vector<std::string> names;
    while (const char *name = egs_engine_loader_name(engine_.get(), names.size())) names.emplace_back(name);
    return names;
  }
  const egs_engine *capi() const noexcept { return engine_.get(); }

  Engine(Engine &&) noexcept = default;
  // What was here ends with `other`, in the right order.
  Engine &operator=(Engine &&other) noexcept {
    std::swap(shared_, other.shared_);
    std::swap(engine_, other.engine_);
    return *this;
  }

 private:
  friend class Monitor;

  // Stays where it is when the engine is moved, and as long as a monitor logs with it.
  struct Shared {
    std::function<void(int32_t, std::string_view, std::string_view)> log;
    detail::Trap trap;
  };

  Engine(egs_engine *engine, std::shared_ptr<Shared> shared) noexcept : shared_(std::move(shared)), engine_(engine) {}

  void rethrow() const {
    if (shared_) shared_->trap.rethrow();  // none in an engine that was moved from
  }

  static void log(int32_t level, const char *target, const char *message, void *user) noexcept {
    auto *shared = static_cast<Shared *>(user);
    shared->trap.run([&] { shared->log(level, target, message); });
  }

  template <class F>
  Returned<Report> report(const AnalysisOptions &options, F &&run) const {
    return analysis<Report, egs_report>(options, std::forward<F>(run));
  }

  template <class Made, class Raw, class F>
  Returned<Made> analysis(const AnalysisOptions &options, F &&run) const {
    detail::Call call;
    detail::Analysis watched(options);
    Raw *raw = nullptr;
    egs_status status = run(engine_.get(), watched.raw(), &raw, call.error());
    Made made(raw);
    watched.rethrow();
    rethrow();
    return call.returns<Made>(status, std::move(made));
  }

  std::shared_ptr<Shared> shared_;  // ends after the engine, which may still log
  std::unique_ptr<egs_engine, detail::Deleter<egs_engine_free>> engine_;
};

// ---- Monitor -----------------------------------------------------------------------------------------------------------------

enum class Level : int32_t {
  none = EGS_VERDICT_NONE,
  warn = EGS_VERDICT_WARN,
  snapshot = EGS_VERDICT_SNAPSHOT,
  stop = EGS_VERDICT_STOP,
};

// The state of the run after one analysed commit.
struct Verdict {
  explicit Verdict(const egs_verdict &v)
      : step(v.step), epoch(v.epoch), level(static_cast<Level>(v.level)), fresh(v.fresh != 0), flags(v.flags),
        new_flags(v.new_flags), layer(v.layer), reason(v.reason) {}
  uint64_t step;
  double epoch;
  Level level;
  bool fresh;
  uint32_t flags;  // EGS_OVER_TRAINED, ...
  uint32_t new_flags;
  std::string layer;
  std::string reason;
};

using OnEpoch = std::function<void(const ReportView &, const Verdict &)>;

// Options of a monitor; see egs_monitor_options.
struct MonitorOptions {
  uint64_t flags = 0;  // EGS_MONITOR_*
  AnalysisOptions analysis;
  uint32_t threads = 0;
  uint32_t queue = 0;
  uint64_t budget_ms = 0;
  uint64_t min_interval_ms = 0;
  uint64_t history = 0;
  uint32_t rules_on = 0;
  uint32_t rules_off = 0;
  std::string json;
  OnEpoch on_epoch;
  OnEpoch on_alarm;
};

// Watches a training run.
class Monitor {
 public:
#ifndef EGS_NO_EXCEPTIONS
  explicit Monitor(MonitorOptions options = {}, const Engine *log_with = nullptr)
      : Monitor(create(std::move(options), log_with)) {}
#endif
  static Returned<Monitor> create(MonitorOptions options = {}, const Engine *log_with = nullptr) {
    auto shared = std::make_unique<Shared>();
    detail::Analysis analysis(options.analysis);
    egs_monitor_options raw = EGS_INIT(egs_monitor_options);
    raw.flags = options.flags;
    raw.engine = log_with ? log_with->capi() : nullptr;
    raw.analysis = analysis.raw();
    raw.threads = options.threads;
    raw.queue = options.queue;
    raw.budget_ms = options.budget_ms;
    raw.min_interval_ms = options.min_interval_ms;
    raw.history = options.history;
    raw.rules_on = options.rules_on;
    raw.rules_off = options.rules_off;
    raw.json = options.json.empty() ? nullptr : options.json.c_str();
    raw.user = shared.get();
    if (options.on_epoch) raw.on_epoch = &Monitor::epoch;
    if (options.on_alarm) raw.on_alarm = &Monitor::alarm;
    shared->on_epoch = std::move(options.on_epoch);
    shared->on_alarm = std::move(options.on_alarm);
    if (log_with) shared->log = log_with->shared_;
    detail::Call call;
    egs_monitor *monitor = nullptr;
    egs_status status = egs_monitor_open(&raw, &monitor, call.error());
    return call.returns<Monitor>(status, Monitor(monitor, std::move(shared)));
  }

  // Copies the tensor, unless flags (EGS_ROLE_*) has EGS_BORROW.
  Returned<void> submit(std::string_view name, const Tensor &tensor, uint32_t flags = EGS_ROLE_WEIGHT) const {
    egs_tensor view = tensor.raw();
    return submit(name, view, flags);
  }
  Returned<void> submit(std::string_view name, const egs_tensor &tensor, uint32_t flags = EGS_ROLE_WEIGHT) const {
    detail::Call call;
    return call.returns(egs_monitor_submit(monitor_.get(), detail::Words(name).get(), &tensor, flags, call.error()));
  }
  // Takes the tensor over, whatever happens.
  Returned<void> submit_dlpack(std::string_view name, DLManagedTensorVersioned *tensor, uint32_t flags = EGS_ROLE_WEIGHT) const {
    detail::Call call;
    return call.returns(egs_monitor_submit_dlpack(monitor_.get(), detail::Words(name).get(), tensor, flags, call.error()));
  }
  Returned<void> metric(std::string_view name, double value) const {
    detail::Call call;
    return call.returns(egs_monitor_metric(monitor_.get(), detail::Words(name).get(), value, call.error()));
  }
  Returned<void> commit(uint64_t step, double epoch = std::nan(""), double loss = std::nan("")) const {
    detail::Call call;
    egs_status status = egs_monitor_commit(monitor_.get(), step, epoch, loss, call.error());
    rethrow();
    return call.returns(status);
  }
  Returned<void> discard() const {
    detail::Call call;
    return call.returns(egs_monitor_discard(monitor_.get(), call.error()));
  }
  Returned<Verdict> poll(uint32_t timeout_ms = 0) const {
    detail::Call call;
    egs_verdict raw = EGS_INIT(egs_verdict);
    egs_status status = egs_monitor_poll(monitor_.get(), timeout_ms, &raw, call.error());
    rethrow();
    return call.returns<Verdict>(status, Verdict(raw));
  }
  Returned<Verdict> verdict() const {
    detail::Call call;
    egs_verdict raw = EGS_INIT(egs_verdict);
    egs_status status = egs_monitor_verdict(monitor_.get(), &raw, call.error());
    return call.returns<Verdict>(status, Verdict(raw));
  }
  // Whether every commit is analysed.
  Returned<bool> wait(uint32_t timeout_ms) const {
    detail::Call call;
    int32_t idle = 0;
    egs_status status = egs_monitor_wait(monitor_.get(), timeout_ms, &idle, call.error());
    rethrow();
    return call.returns<bool>(status, idle != 0);
  }
  Returned<Report> report() const {
    detail::Call call;
    egs_report *report = nullptr;
    egs_status status = egs_monitor_report(monitor_.get(), &report, call.error());
    return call.returns<Report>(status, Report(report));
  }
  Returned<Report> history() const {
    detail::Call call;
    egs_report *report = nullptr;
    egs_status status = egs_monitor_history(monitor_.get(), &report, call.error());
    return call.returns<Report>(status, Report(report));
  }
  Returned<egs_counters> counters() const {
    detail::Call call;
    egs_counters counters = EGS_INIT(egs_counters);
    egs_status status = egs_monitor_counters(monitor_.get(), &counters, call.error());
    return call.returns<egs_counters>(status, std::move(counters));
  }
  Returned<std::vector<float>> multipliers() const { return multipliers(EGS_INIT(egs_multiplier_options)); }
  Returned<std::vector<float>> multipliers(const egs_multiplier_options &options) const {
    detail::Call call;
    size_t count = 0;
    std::vector<float> factors;
    egs_status status = egs_monitor_multipliers(monitor_.get(), &options, nullptr, 0, &count, call.error());
    if (status == EGS_OK) {
      factors.resize(count);
      float none = 0;
      status = egs_monitor_multipliers(monitor_.get(), &options, count ? factors.data() : &none, count, &count, call.error());
    }
    return call.returns<std::vector<float>>(status, std::move(factors));
  }
  const egs_monitor *capi() const noexcept { return monitor_.get(); }

  Monitor(Monitor &&) noexcept = default;
  // What was here ends with `other`, in the right order.
  Monitor &operator=(Monitor &&other) noexcept {
    std::swap(shared_, other.shared_);
    std::swap(monitor_, other.monitor_);
    return *this;
  }

 private:
  // Stays where it is when the monitor is moved.
  struct Shared {
    OnEpoch on_epoch;
    OnEpoch on_alarm;
    std::shared_ptr<void> log;  // the engine's, which may end before the monitor
    detail::Trap trap;
  };

  Monitor(egs_monitor *monitor, std::unique_ptr<Shared> shared) noexcept : shared_(std::move(shared)), monitor_(monitor) {}

  void rethrow() const {
    if (shared_) shared_->trap.rethrow();  // none in a monitor that was moved from
  }

  static void epoch(const egs_report *report, const egs_verdict *verdict, void *user) noexcept {
    auto *shared = static_cast<Shared *>(user);
    shared->trap.run([&] { shared->on_epoch(ReportView(report), Verdict(*verdict)); });
  }
  static void alarm(const egs_report *report, const egs_verdict *verdict, void *user) noexcept {
    auto *shared = static_cast<Shared *>(user);
    shared->trap.run([&] { shared->on_alarm(ReportView(report), Verdict(*verdict)); });
  }

  std::unique_ptr<Shared> shared_;  // ends after the monitor, whose callbacks use it
  std::unique_ptr<egs_monitor, detail::Deleter<egs_monitor_close>> monitor_;
};

// Fits positive numbers of your own.
inline Returned<egs_fit> fit(const std::vector<double> &values) {
  detail::Call call;
  egs_fit fit = EGS_INIT(egs_fit);
  egs_status status = egs_fit_values(values.data(), values.size(), &fit, call.error());
  return call.returns<egs_fit>(status, std::move(fit));
}

}  // inline namespace
}  // namespace eigenscope

#endif  // EIGENSCOPE_HPP
