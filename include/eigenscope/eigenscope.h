/* eigenscope/eigenscope.h -- spectral diagnostics of neural-network weights, for C and C++ programs.
 *
 *
 * Install and link
 * ----------------
 * `ffi/install.sh PREFIX` builds the library and puts it, these headers, a pkg-config file and a CMake package under PREFIX.
 *
 *     cc trainer.c $(pkg-config --cflags --libs eigenscope)                   # shared
 *     cc trainer.c $(pkg-config --cflags --libs eigenscope-static)            # this library static, the others shared
 *     cc -static trainer.c $(pkg-config --cflags --libs --static eigenscope)  # everything static
 *
 *     find_package(eigenscope REQUIRED)                                       # CMake
 *     target_link_libraries(trainer PRIVATE eigenscope::eigenscope)           # or eigenscope::static
 *
 * The shared library needs libc, libm and libgcc_s, exports nothing but egs_*, stays in memory once it is loaded (a dlclose is
 * harmless, also while threads that called it are alive), and brings no BLAS and no OpenMP into your process.
 *
 *
 * A first program
 * ---------------
 *     egs_engine *engine = NULL;
 *     egs_report *report = NULL;
 *     egs_error *error = NULL;
 *     double alpha;
 *     if (egs_engine_new(NULL, &engine, &error) == EGS_OK
 *         && egs_analyze_file(engine, "model.safetensors", NULL, &report, &error) == EGS_OK
 *         && egs_report_mean(report, "alpha", &alpha, &error) == EGS_OK)
 *       printf("mean alpha %.3f over %zu rows\n", alpha, egs_report_rows(report));
 *     else
 *       fprintf(stderr, "%s (%s)\n", egs_error_message(error), egs_error_advice(error));
 *     egs_error_free(error);
 *     egs_report_free(report);
 *     egs_engine_free(engine);
 *
 *
 * Errors
 * ------
 * A function that can fail returns an egs_status: 0 is success. Where it takes `egs_error **error` and that is not NULL, a failure
 * stores there an error that you own: free it with egs_error_free(). On success nothing is stored, so start with NULL. Other
 * out-parameters are written only on success. What is wrong with one layer of a model (NaN in it, too small, a fit that fails) is
 * no error: it is a row of the report, with its reason.
 *
 * Nothing unwinds into your program. A defect of the engine that shows as a panic is caught, becomes EGS_ERR_PANIC, and poisons the
 * one object it happened in: every later call on that object returns EGS_ERR_PANIC at once, and freeing it is safe.
 *
 *
 * Ownership
 * ---------
 * What a function creates through `egs_x **out` is yours: end it with the function named in its section, once. NULL is fine there.
 * Text that a function returns belongs to the object it came from and lives as long; copy what you keep. Text that you pass is
 * NUL-terminated UTF-8 and is copied or used up before the call returns; paths may hold any bytes. Memory behind a tensor that you
 * lend is read until the call returns, unless its section says longer. Nothing here is ever passed to free().
 *
 *
 * Threads
 * -------
 * `const` in a parameter is the rule: any number of threads may be in functions that take `const egs_x *` of one object, callbacks
 * included. The functions that end an object take `egs_x *` and want it alone: nobody is in a function of it, nor calls one later.
 * Objects may move between threads.
 *
 * All work is done on threads that belong to an egs_engine or egs_monitor: one unless you ask for more, with signals blocked. None is
 * started before there is one. After fork() without exec, objects of the parent are of no use to the child: calls on them return
 * EGS_ERR_INVALID_STATE, at once, and freeing them leaks what they own. The child may make its own.
 *
 *
 * Manners
 * -------
 * The library writes nothing to stdout or stderr, reads no environment variable unless egs_engine_load_plugins() is asked to,
 * installs no signal handler, registers nothing with atexit, sets no locale, floating-point mode or process-wide hook, and opens no
 * file but those it is told to read. What it has to say goes to the log function of the engine concerned.
 *
 *
 * Structs and versions
 * --------------------
 * Structs that may grow begin with `size_t struct_size`, set by you; EGS_INIT(type) zeroes a struct and sets it:
 *
 *     egs_engine_options options = EGS_INIT(egs_engine_options);
 *     options.threads = 2;
 *
 * Zero is the default of every field. Newer headers only append fields. A struct from a newer header is accepted by an older library
 * as long as what that library does not know is zero; anything else it does not know (a flag, a reserved field, a constant) is
 * EGS_ERR_INVALID_ARGUMENT rather than ignored. ABI-CHANGES.md, beside this file, lists every change of the binary interface.
 */
#ifndef EIGENSCOPE_H
#define EIGENSCOPE_H

#include <stddef.h>
#include <stdint.h>

/* Functions are found in a shared library without further ado on every platform but Windows. */
#ifndef EGS_API
#if defined(_WIN32) && !defined(EGS_STATIC)
#define EGS_API __declspec(dllimport)
#else
#define EGS_API
#endif
#endif

/* Callbacks must not throw: an exception cannot pass through the engine's frames. eigenscope.hpp catches yours and rethrows them in
 * the call that caused them. From C++17 on, the compiler sees to it. */
#if defined(__cplusplus) && (__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#define EGS_NOEXCEPT noexcept
#else
#define EGS_NOEXCEPT
#endif

#ifdef __cplusplus
#define EGS_INIT(type) (::egs_detail::sized<type>())
#else
#define EGS_INIT(type) {.struct_size = sizeof(type)}
#endif

#ifdef __cplusplus
namespace egs_detail {
template <class T> inline T sized() noexcept {
  T zero = T();
  zero.struct_size = sizeof(T);
  return zero;
}
}  // namespace egs_detail
extern "C" {
#endif

/* ============================================================== Version ============================================================ */

#define EGS_VERSION_MAJOR 0
#define EGS_VERSION_MINOR 1
#define EGS_VERSION_PATCH 0

/* The binary interface of this header: major * 65536 + minor. See ABI-CHANGES.md. */
#define EGS_ABI_MAJOR 0
#define EGS_ABI_MINOR 1
#define EGS_ABI_VERSION ((uint32_t)(EGS_ABI_MAJOR * 65536 + EGS_ABI_MINOR))

/* The library's version: major * 65536 + minor * 256 + patch. */
EGS_API uint32_t egs_version(void);

/* The same in words, with what it was built from: "eigenscope/0.1.0 abi=0.1 plugin-abi=1.0 dlpack=1 linalg=native". */
EGS_API const char *egs_version_string(void);

/* The library's binary interface, as EGS_ABI_VERSION is this header's. A program that finds the library at run time compares them:
 * majors must be equal (before 1.0 minors too), and the library's minor not the smaller one. */
EGS_API uint32_t egs_abi_version(void);

/* =============================================================== Errors ============================================================ */

/* 0 or one of the codes below. Codes are only ever added: treat one that you do not know as EGS_ERR_INTERNAL. */
typedef int32_t egs_status;

#define EGS_OK 0
#define EGS_ERR_INVALID_ARGUMENT 1 /* NULL, text that is not UTF-8, a struct too short, a flag or constant not known */
#define EGS_ERR_INVALID_STATE 2    /* the wrong moment: a commit without a tensor, a second loader of a name, a forked child */
#define EGS_ERR_UNSUPPORTED 3      /* well-formed, but not something this library reads: a format, a type, a device */
#define EGS_ERR_NOT_FOUND 4        /* no such file, tensor, layer, column or loader */
#define EGS_ERR_INVALID_DATA 5     /* a file that contradicts itself or its format, ends early, or is refused as dangerous */
#define EGS_ERR_IO 6               /* the operating system refused */
#define EGS_ERR_OUT_OF_MEMORY 7    /* no memory for a copy that was asked for */
#define EGS_ERR_CANCELLED 8        /* a callback said stop */
#define EGS_ERR_ABI 9              /* a plugin made for another binary interface */
#define EGS_ERR_PANIC 10           /* a defect of the engine, caught; the object concerned is poisoned, only free it */
#define EGS_ERR_INTERNAL 11        /* anything else */

typedef struct egs_error egs_error;

/* Why a call failed. The message says what was expected, what was found and where; the advice says what to do about it, and may be
 * empty. For NULL: EGS_OK and "". */
EGS_API egs_status egs_error_code(const egs_error *error);
EGS_API const char *egs_error_message(const egs_error *error);
EGS_API const char *egs_error_advice(const egs_error *error);
EGS_API void egs_error_free(egs_error *error);

/* The name of a code, such as "EGS_ERR_IO"; "unknown status" for others. */
EGS_API const char *egs_status_name(egs_status status);

/* =============================================================== Engine ============================================================ */

/* Threads, loaders and a log function. One per process is usual; several do not know of each other. */
typedef struct egs_engine egs_engine;

#define EGS_LOG_OFF 0
#define EGS_LOG_ERROR 1
#define EGS_LOG_WARN 2
#define EGS_LOG_INFO 3
#define EGS_LOG_DEBUG 4

/* Receives a message and the part of the library it comes from ("analysis", "plugins", "loader", "monitor"). Called on any thread, also on
 * several at once. */
typedef void (*egs_log_fn)(int32_t level, const char *target, const char *message, void *user) EGS_NOEXCEPT;

#define EGS_ENGINE_LOW_PRIORITY ((uint64_t)1) /* the engine's threads yield to yours (nice 10; Linux) */
#define EGS_ENGINE_NO_LOADERS ((uint64_t)2)   /* none of the built-in file formats */

typedef struct egs_engine_options {
  size_t struct_size;
  uint64_t flags;    /* EGS_ENGINE_* */
  uint32_t threads;  /* 0: one. At most 1024. */
  int32_t log_level; /* EGS_LOG_*: the least important messages that are wanted */
  egs_log_fn log;    /* NULL: nobody listens */
  void *log_user;    /* handed to log; must outlive the engine and its monitors */
  const char *json;  /* NULL, or {"threads": 2, "max_memory": 1073741824, "low_priority": true, "log_level": "info"}: overrules the fields */
  uint64_t max_memory; /* bytes one analysis of a file may take, mapped pages not counted; 0: no limit. Layers wait for their turn; one that
                          would not fit alone has a row that says so. 32 MiB of it are set aside for what belongs to no layer. */
} egs_engine_options;

/* Starts an engine; options may be NULL. It reads safetensors, PyTorch, ONNX and Keras (HDF5) files; nothing is loaded from disk. */
EGS_API egs_status egs_engine_new(const egs_engine_options *options, egs_engine **out, egs_error **error);

/* Ends it. Its monitors keep what they need, so order does not matter; a call that is still running on another thread does. */
EGS_API void egs_engine_free(egs_engine *engine);

/* The loaders, in the order they are asked. The name is NULL beyond the last. */
EGS_API size_t egs_engine_loaders(const egs_engine *engine);
EGS_API const char *egs_engine_loader_name(const egs_engine *engine, size_t index);

/* Loads plugins: a manifest (.toml), a shared library, or a folder of manifests. NULL searches the usual places: the folders of
 * $EIGENSCOPE_PLUGIN_PATH, the user's and the installed one (the one call that reads the environment). `loaded`, unless NULL,
 * receives how many loaders were added; for a path, none is an error that says why. A plugin runs with the rights of your process
 * and is never unloaded. */
EGS_API egs_status egs_engine_load_plugins(const egs_engine *engine, const char *path, size_t *loaded, egs_error **error);

/* Adds a loader written in this program, without a shared library: see plugin.h. The table must live as long as the process. */
struct egs_loader;
EGS_API egs_status egs_engine_register_loader(const egs_engine *engine, const struct egs_loader *loader, egs_error **error);

/* =============================================================== Tensors =========================================================== */

/* Element types. */
#define EGS_F64 1
#define EGS_F32 2
#define EGS_F16 3
#define EGS_BF16 4
#define EGS_F8_E4M3 5 /* OCP E4M3FN */
#define EGS_F8_E5M2 6
#define EGS_I64 7 /* integers have no spectrum: such tensors are listed, not analysed */
#define EGS_I32 8
#define EGS_I16 9
#define EGS_I8 10
#define EGS_U64 11
#define EGS_U32 12
#define EGS_U16 13
#define EGS_U8 14
#define EGS_BOOL 15

/* What kind of layer a tensor belongs to. It decides how the tensor becomes matrices. */
#define EGS_KIND_AUTO 0 /* from rank and name: 2 axes dense, 3 to 5 a convolution, 1 a bias or norm */
#define EGS_KIND_DENSE 1
#define EGS_KIND_CONV1D 2
#define EGS_KIND_CONV2D 3
#define EGS_KIND_CONV3D 4
#define EGS_KIND_EMBEDDING 5
#define EGS_KIND_RECURRENT 6
#define EGS_KIND_ATTENTION 7
#define EGS_KIND_NORM 8
#define EGS_KIND_BIAS 9
#define EGS_KIND_OTHER 10

/* The order of the axes; it matters for convolutions only. */
#define EGS_LAYOUT_OUT_IN_SPATIAL 0 /* PyTorch, ONNX */
#define EGS_LAYOUT_IN_OUT_SPATIAL 1 /* their transposed convolutions */
#define EGS_LAYOUT_SPATIAL_IN_OUT 2 /* Keras, TensorFlow, JAX */
#define EGS_LAYOUT_SPATIAL_OUT_IN 3 /* transposed convolutions of Keras */

/* Axes a tensor may have. */
#define EGS_MAX_NDIM 8

/* A tensor in your memory: CPU, little-endian, any alignment. Strides may be zero or negative and elements may overlap, as only
 * reading is done; everything between the first and the last element must be memory of yours. NaN and infinities are data: the
 * report says so. Views of more than 2^36 elements, or whose smaller side is above 92681 (a Gram matrix of 64 GiB), are listed and not
 * analysed; a monitor refuses them. */
typedef struct egs_tensor {
  size_t struct_size;
  const void *data;       /* the element at index 0, 0, ...; may be NULL when there is no element */
  const int64_t *shape;   /* ndim extents; may be NULL for ndim 0 */
  const int64_t *strides; /* ndim distances in elements, or NULL: dense, last axis fastest */
  int32_t ndim;           /* 0 to EGS_MAX_NDIM */
  int32_t dtype;          /* EGS_F32, ... */
  int32_t kind;           /* EGS_KIND_* */
  int32_t layout;         /* EGS_LAYOUT_* */
} egs_tensor;

/* Describes a DLPack tensor as an egs_tensor, copying nothing: `out` points into `dl_tensor`, which must stay. `dl_tensor` is a
 * `const DLTensor *` (dlpack.h, any 1.x or 0.x: its layout never changed). The caller has synchronised the stream that wrote it.
 * Fails with EGS_ERR_UNSUPPORTED for devices other than CPU and pinned CPU memory, for more than one lane, and for types without an
 * EGS_ constant. `out` need not be initialised. */
EGS_API egs_status egs_tensor_from_dlpack(const void *dl_tensor, egs_tensor *out, egs_error **error);

/* ============================================================== Analysis =========================================================== */

typedef struct egs_report egs_report; /* its functions: see Report */

/* How far an analysis is. */
typedef struct egs_progress {
  size_t struct_size;
  uint64_t done;     /* layers */
  uint64_t total;
  double work;       /* share of the estimated work done, 0 to 1 */
  const char *layer; /* the layer just done; lives until the callback returns */
} egs_progress;

/* Called after each layer, on a thread of the engine, never on two at once. Return 0 to go on; anything else cancels: the call
 * returns EGS_ERR_CANCELLED once the layers under way are done. */
typedef int32_t (*egs_progress_fn)(const egs_progress *progress, void *user) EGS_NOEXCEPT;

#define EGS_ANALYZE_UNPOOLED ((uint64_t)1) /* a row for each slice of a convolution instead of one for all */
#define EGS_ANALYZE_FLATTEN ((uint64_t)2)  /* convolutions as one out x (in * kernel) matrix */
#define EGS_ANALYZE_SPLIT ((uint64_t)4)    /* a matrix for each gate of a recurrent, each projection of an attention layer */
#define EGS_ANALYZE_SINGLE ((uint64_t)8)   /* single-precision arithmetic: faster, good to about 1e-4 */
/* More columns; docs/metrics.md and docs/c-api.md say what they cost. */
#define EGS_ANALYZE_RANDOMIZE ((uint64_t)16)       /* the same weights in random order: rand_*, ww_softrank, num_traps */
#define EGS_ANALYZE_MP_FIT ((uint64_t)32)          /* a Marchenko-Pastur law: sigma_mp, num_spikes, mp_softrank, bulk_max */
#define EGS_ANALYZE_TRAPS ((uint64_t)64)           /* correlation traps, and the weights that carry them */
#define EGS_ANALYZE_DETX ((uint64_t)128)           /* the largest eigenvalues whose product is 1: detX_num, ERG_gap */
#define EGS_ANALYZE_DELTAS ((uint64_t)256)         /* gaps between neighbouring eigenvalues */
#define EGS_ANALYZE_VECTORS ((uint64_t)512)        /* entropy and localisation of eigenvectors, in the bulk and in the tail */
#define EGS_ANALYZE_INVERSE ((uint64_t)1024)       /* 1/eigenvalue instead of the eigenvalue */
#define EGS_ANALYZE_COMPARE ((uint64_t)2048)       /* the power law beside other families */
#define EGS_ANALYZE_NULL_REFERENCE ((uint64_t)4096) /* alpha beside that of Gaussian matrices of the same shape */
#define EGS_ANALYZE_INTRA ((uint64_t)8192)          /* products of neighbouring layers */
#define EGS_ANALYZE_STACKED ((uint64_t)16384)       /* all layers as one matrix */
#define EGS_ANALYZE_GLOROT_FIX ((uint64_t)32768)    /* weights over their Glorot scale */
#define EGS_ANALYZE_ADD_BIASES ((uint64_t)65536)    /* biases as a further column of their layer's weights */

typedef struct egs_analysis_options {
  size_t struct_size;
  uint64_t flags;          /* EGS_ANALYZE_* */
  uint64_t min_evals;      /* fewest eigenvalues a layer must have; 0: 8 */
  uint64_t max_evals;      /* most it may have; 0: no limit */
  uint64_t max_n;          /* largest side it may have; 0: no limit */
  const char *layers;      /* NULL: all. Comma-separated kinds, ids, names or globs; "!" excludes: "dense,!lm_head*" */
  const char *conventions; /* NULL: "default"; or "weightwatcher-0.7.7" for that tool's numbers, quirks included */
  const char *format;      /* NULL: judged by content; or the name of a loader */
  const char *json;        /* NULL, or an object with any option of docs/c-api.md: overrules the fields above */
  egs_progress_fn progress;
  void *progress_user;
} egs_analysis_options;

/* Analyses a file, or a folder whose files make one model. */
EGS_API egs_status egs_analyze_file(const egs_engine *engine, const char *path, const egs_analysis_options *options,
                                    egs_report **out, egs_error **error);

/* Analyses the contents of a file in memory. The name is for its extension and for messages. The bytes are not copied. */
EGS_API egs_status egs_analyze_buffer(const egs_engine *engine, const char *file_name, const void *data, size_t size,
                                      const egs_analysis_options *options, egs_report **out, egs_error **error);

/* Analyses one tensor. The name tells layer kinds apart where tensor->kind does not ("rnn.weight_ih_l0", "wte.weight"). */
EGS_API egs_status egs_analyze_tensor(const egs_engine *engine, const char *name, const egs_tensor *tensor,
                                      const egs_analysis_options *options, egs_report **out, egs_error **error);

/* Analyses tensors as one model: names[i] belongs to tensors[i]. */
EGS_API egs_status egs_analyze_tensors(const egs_engine *engine, const char *const *names, const egs_tensor *const *tensors,
                                       size_t count, const egs_analysis_options *options, egs_report **out, egs_error **error);

/* Analyses a DLPack tensor and takes it over: its deleter runs exactly once, also when the call fails, on any thread and at the
 * latest before the call returns. A tensor of another DLPack major version is deleted and otherwise not touched. */
struct DLManagedTensorVersioned;
EGS_API egs_status egs_analyze_dlpack(const egs_engine *engine, const char *name, struct DLManagedTensorVersioned *tensor,
                                      const egs_analysis_options *options, egs_report **out, egs_error **error);

/* =============================================================== Report ============================================================ */

/* A table, immutable: a row for every tensor (or slice) in the order of the model, whatever became of it. Its columns describe
 * themselves (egs_report_column_doc); `status` is "success", "failed" or "skipped", the latter two with a `reason`. All functions take
 * const, so threads may share a report. */
EGS_API size_t egs_report_rows(const egs_report *report);
EGS_API size_t egs_report_columns(const egs_report *report);

#define EGS_COLUMN_INTEGER 1
#define EGS_COLUMN_NUMBER 2
#define EGS_COLUMN_TEXT 3
#define EGS_COLUMN_BOOL 4

/* Name, meaning (formula, unit, source) and type of a column; NULL and 0 beyond the last. */
EGS_API const char *egs_report_column_name(const egs_report *report, size_t column);
EGS_API const char *egs_report_column_doc(const egs_report *report, size_t column);
EGS_API int32_t egs_report_column_type(const egs_report *report, size_t column);

/* The row of the layer with that name (or full name, column `longname`); the first one if there are several. */
EGS_API egs_status egs_report_find(const egs_report *report, const char *layer, size_t *row, egs_error **error);

/* A cell as a number: NaN where there is none, 0 or 1 for yes and no. Text columns are EGS_ERR_INVALID_ARGUMENT, unknown ones
 * EGS_ERR_NOT_FOUND. */
EGS_API egs_status egs_report_number(const egs_report *report, size_t row, const char *column, double *out, egs_error **error);

/* A cell in words: "" where there is nothing. Numbers come with as many digits as they need to be read back unchanged. */
EGS_API egs_status egs_report_text(const egs_report *report, size_t row, const char *column, const char **out, egs_error **error);

/* The mean of a column over the layers that have it, as in the summary: alpha, alpha_weighted, log_norm, log_spectral_norm,
 * log_alpha_norm, stable_rank. NaN where no layer has it. */
EGS_API egs_status egs_report_mean(const egs_report *report, const char *column, double *out, egs_error **error);

/* The whole report (model, options, conventions, layers, summary) as JSON; the rows as CSV with a header line. Made when first asked
 * for, then kept. */
EGS_API egs_status egs_report_json(const egs_report *report, const char **out, egs_error **error);
EGS_API egs_status egs_report_csv(const egs_report *report, const char **out, egs_error **error);

/* The rows as an Arrow C stream of one record batch: `out` is an uninitialised ArrowArrayStream (arrow.h), yours to release. It
 * shares the report's memory and may outlive it. */
struct ArrowArrayStream;
EGS_API egs_status egs_report_arrow(const egs_report *report, struct ArrowArrayStream *out, egs_error **error);

EGS_API void egs_report_free(egs_report *report);

/* ================================================ Empirical spectral density ======================================================= */

/* The eigenvalues of one layer, and the power law fitted to their tail. Immutable. */
typedef struct egs_esd egs_esd;

/* A power law p(x) ~ x^-alpha for xmin <= x, by maximum likelihood with xmin by least Kolmogorov-Smirnov distance. */
typedef struct egs_fit {
  size_t struct_size;
  double alpha;
  double xmin;
  double xmax;
  double distance; /* D, 0 to 1 */
  double sigma;    /* standard error of alpha for a known xmin */
  uint64_t tail;   /* values at or above xmin */
} egs_fit;

/* The spectrum of a tensor, or of the layer with that name (as in column `name` or `longname`) of a model. Options as for an
 * analysis. A layer that cannot be analysed is EGS_ERR_INVALID_DATA with the reason. */
EGS_API egs_status egs_esd_of_tensor(const egs_engine *engine, const char *name, const egs_tensor *tensor,
                                     const egs_analysis_options *options, egs_esd **out, egs_error **error);
EGS_API egs_status egs_esd_of_file(const egs_engine *engine, const char *path, const char *layer,
                                   const egs_analysis_options *options, egs_esd **out, egs_error **error);

/* The eigenvalues, ascending, pooled over the layer's matrices and scaled as in the report. They live as long as the egs_esd. */
EGS_API size_t egs_esd_count(const egs_esd *esd);
EGS_API const double *egs_esd_values(const egs_esd *esd);

/* The fit of the report's row; `out->struct_size` must be set. EGS_ERR_NOT_FOUND, with the reason, where there is none. */
EGS_API egs_status egs_esd_fit(const egs_esd *esd, egs_fit *out, egs_error **error);

/* The eigenvalues as a one-dimensional DLPack tensor of doubles, read-only, for numpy, torch and others: call its deleter when done.
 * It shares the memory and may outlive the egs_esd. */
EGS_API egs_status egs_esd_dlpack(const egs_esd *esd, struct DLManagedTensorVersioned **out, egs_error **error);

EGS_API void egs_esd_free(egs_esd *esd);

/* Fits numbers of your own: finite, positive ones in any order (others are refused). `out->struct_size` must be set. */
EGS_API egs_status egs_fit_values(const double *values, size_t count, egs_fit *out, egs_error **error);

/* ============================================================== Monitor ============================================================ */

/* Watches a training run. The trainer submits its tensors now and then and goes on; the analysis runs on the monitor's own threads.
 *
 *     egs_monitor *monitor = NULL;
 *     egs_monitor_open(NULL, &monitor, &error);
 *     for (epoch = 0; epoch < epochs; epoch++) {
 *       train();
 *       for (i = 0; i < parameters; i++)
 *         egs_monitor_submit(monitor, name[i], &tensor[i], EGS_ROLE_WEIGHT, &error);
 *       egs_monitor_commit(monitor, step, epoch, loss, &error);
 *       egs_verdict verdict = EGS_INIT(egs_verdict);
 *       egs_monitor_poll(monitor, 0, &verdict, &error);
 *       if (verdict.level == EGS_VERDICT_STOP) break;
 *     }
 *     egs_monitor_close(monitor);
 *
 * Nothing here blocks on an analysis but the functions with a timeout and egs_monitor_close(), and nothing stops your training: a
 * verdict is advice. All functions but egs_monitor_close() may be called by any thread at any time, also by callbacks. */
typedef struct egs_monitor egs_monitor;

/* Advice, in rising order of urgency. */
#define EGS_VERDICT_NONE 0
#define EGS_VERDICT_WARN 1     /* see the flags and the reason */
#define EGS_VERDICT_SNAPSHOT 2 /* keep a copy of the weights of this step */
#define EGS_VERDICT_STOP 3     /* going on makes no sense */

/* The rules, as bits of egs_verdict.flags. */
#define EGS_OVER_TRAINED ((uint32_t)1)   /* alpha below 2, of a layer or on average */
#define EGS_ALPHA_RISING ((uint32_t)2)   /* mean alpha drifts up */
#define EGS_UNDER_TRAINED ((uint32_t)4)  /* mean alpha above 6 for long; off unless turned on */
#define EGS_RANK_COLLAPSE ((uint32_t)8)  /* a layer's stable rank fell to a small part of its peak */
#define EGS_NORM_EXPLOSION ((uint32_t)16) /* a layer's largest singular value multiplied */
#define EGS_NON_FINITE ((uint32_t)32)    /* NaN or infinity in a tensor */
#define EGS_DEAD_LAYER ((uint32_t)64)    /* a layer all zero, or one that stopped changing while others change */
#define EGS_TRAPS ((uint32_t)128)        /* correlation traps in a layer, where the analysis looks for them ("traps": true) */

/* The state of the run after one analysed commit. Longer words are cut off, between characters; the report has all of them. */
typedef struct egs_verdict {
  size_t struct_size;
  uint64_t step; /* the commit it is about */
  double epoch;  /* NaN: none was given */
  int32_t level; /* EGS_VERDICT_* */
  int32_t fresh; /* 1: told for the first time; 0: there is nothing new, and level is EGS_VERDICT_NONE */
  uint32_t flags;
  uint32_t new_flags; /* those not raised at the commit before */
  char layer[256];    /* the first tensor concerned, "" for the model as a whole */
  char reason[1024];  /* all findings in words */
} egs_verdict;

/* Told of an analysed commit. Report and verdict live until it returns. It runs on the monitor's thread, or inside egs_monitor_poll()
 * if EGS_MONITOR_CALL_IN_POLL says so. */
typedef void (*egs_epoch_fn)(const egs_report *report, const egs_verdict *verdict, void *user) EGS_NOEXCEPT;
typedef void (*egs_free_fn)(void *user) EGS_NOEXCEPT;

#define EGS_MONITOR_CALL_IN_POLL ((uint64_t)1)    /* callbacks run in egs_monitor_poll(), on your thread */
#define EGS_MONITOR_NORMAL_PRIORITY ((uint64_t)2) /* else the monitor's threads yield to yours (nice 10; Linux) */

#define EGS_NO_BUDGET UINT64_MAX

typedef struct egs_monitor_options {
  size_t struct_size;
  uint64_t flags;                       /* EGS_MONITOR_* */
  const egs_engine *engine;             /* NULL, or an engine whose log function the monitor uses */
  const egs_analysis_options *analysis; /* NULL, or what is computed; `format` and `progress` must be NULL */
  uint32_t threads;                     /* 0: one */
  uint32_t queue;                       /* commits that may wait while one is analysed; 0: the latest only */
  uint64_t budget_ms;                   /* CPU milliseconds per commit, on average; 0: 250. Layers take turns. */
  uint64_t min_interval_ms;             /* commits closer than this to the last one are skipped */
  uint64_t history;                     /* commits the history keeps; 0: 1000 */
  uint32_t rules_on;                    /* rules to turn on, off: bits of egs_verdict.flags */
  uint32_t rules_off;
  const char *json;      /* NULL, or rules with their thresholds, see docs/c-api.md: overrules the fields above */
  egs_epoch_fn on_epoch; /* told of every analysed commit; may be NULL, as the others */
  egs_epoch_fn on_alarm; /* told of those that raise a rule anew or ask for a snapshot, after on_epoch */
  void *user;            /* handed to both */
  egs_free_fn user_free; /* called once with `user` after the last callback; never if egs_monitor_open() failed */
} egs_monitor_options;

/* Starts a monitor; options may be NULL. */
EGS_API egs_status egs_monitor_open(const egs_monitor_options *options, egs_monitor **out, egs_error **error);

/* Drops what waits, lets the layer under way finish, ends the threads, frees the monitor. NULL is fine. */
EGS_API void egs_monitor_close(egs_monitor *monitor);

/* What a tensor is; or'ed with how it is taken over. */
#define EGS_ROLE_WEIGHT ((uint32_t)0)
#define EGS_ROLE_GRADIENT ((uint32_t)1)
#define EGS_ROLE_MOMENTUM ((uint32_t)2)
#define EGS_COPY ((uint32_t)0)     /* copied now: the memory is yours again at once */
#define EGS_BORROW ((uint32_t)256) /* read later: leave it as it is until the commit was reported or dropped (egs_monitor_wait) */

/* Adds a tensor to the commit being filled. A second one of the same name and role replaces the first. */
EGS_API egs_status egs_monitor_submit(const egs_monitor *monitor, const char *name, const egs_tensor *tensor, uint32_t role,
                                      egs_error **error);

/* The same with a DLPack tensor, which is taken over: its deleter runs exactly once, on any thread, also when the call fails. Without
 * EGS_BORROW it is copied and deleted before the call returns. */
EGS_API egs_status egs_monitor_submit_dlpack(const egs_monitor *monitor, const char *name, struct DLManagedTensorVersioned *tensor,
                                             uint32_t role, egs_error **error);

/* Adds a number of your own (an accuracy, a learning rate) to the commit being filled; it appears in the history. */
EGS_API egs_status egs_monitor_metric(const egs_monitor *monitor, const char *name, double value, egs_error **error);

/* Hands over what was submitted, and starts the next commit. Epoch and loss may be NaN: unknown. Without anything submitted:
 * EGS_ERR_INVALID_STATE. A commit that comes too fast is dropped or replaces a waiting one; egs_monitor_counters() counts them. */
EGS_API egs_status egs_monitor_commit(const egs_monitor *monitor, uint64_t step, double epoch, double loss, egs_error **error);

/* Forgets what was submitted since the last commit. */
EGS_API egs_status egs_monitor_discard(const egs_monitor *monitor, egs_error **error);

/* The next verdict that was not polled yet, oldest first, waiting so many milliseconds for one. */
EGS_API egs_status egs_monitor_poll(const egs_monitor *monitor, uint32_t timeout_ms, egs_verdict *out, egs_error **error);

/* Waits until every commit is analysed; `idle` receives whether that is so. After that, and before the next commit, the monitor
 * reads no borrowed memory. */
EGS_API egs_status egs_monitor_wait(const egs_monitor *monitor, uint32_t timeout_ms, int32_t *idle, egs_error **error);

/* The latest verdict, polled or not; `fresh` is 0 before the first. */
EGS_API egs_status egs_monitor_verdict(const egs_monitor *monitor, egs_verdict *out, egs_error **error);

/* The latest report: the latest rows of every tensor, each with the `step` it was computed at. EGS_ERR_NOT_FOUND before the first. */
EGS_API egs_status egs_monitor_report(const egs_monitor *monitor, egs_report **out, egs_error **error);

/* All series: a row for every commit (means, verdict, your own numbers as "own:loss", ...), then one for every analysis of every
 * layer. */
EGS_API egs_status egs_monitor_history(const egs_monitor *monitor, egs_report **out, egs_error **error);

typedef struct egs_counters {
  size_t struct_size;
  uint64_t commits;         /* calls of egs_monitor_commit() */
  uint64_t analyzed;        /* analysed to the end */
  uint64_t dropped;         /* dropped because the monitor was busy */
  uint64_t skipped;         /* skipped because of min_interval_ms */
  uint64_t failed;          /* given up because of a defect; the next report has a note */
  uint64_t unread_lost;     /* verdicts replaced before anybody polled them */
} egs_counters;

EGS_API egs_status egs_monitor_counters(const egs_monitor *monitor, egs_counters *out, egs_error **error);

/* How a layer's metric becomes a factor; the published assignment functions. */
#define EGS_ASSIGN_LINEAR 0      /* from `low` for the smallest to `high` for the largest (TempBalance 0.5, 1.5) */
#define EGS_ASSIGN_SQRT 1        /* proportional to the square root, mean 1 */
#define EGS_ASSIGN_LOG2 2        /* proportional to the logarithm, mean 1 */
#define EGS_ASSIGN_STEP 3        /* by rank, from `low` to below `high` */
#define EGS_ASSIGN_STD_SIGMOID 4 /* 10^(c (sigmoid(steepness (s - mean)) - 1/2)), c `low` below the mean, `high` above (0.25) */
#define EGS_ASSIGN_SIGMOID 5     /* 2 sigmoid(steepness z), z in standard deviations (steepness 4) */

#define EGS_MULTIPLIER_INVERTED ((uint64_t)1) /* larger factors for smaller values */
#define EGS_MULTIPLIER_KEEP_FIRST ((uint64_t)2) /* the first layer gets 1 */
#define EGS_MULTIPLIER_KEEP_LAST ((uint64_t)4)

typedef struct egs_multiplier_options {
  size_t struct_size;
  uint64_t flags;     /* EGS_MULTIPLIER_* */
  int32_t assignment; /* EGS_ASSIGN_* */
  uint32_t role;      /* whose metric: EGS_ROLE_* */
  double low;         /* with `high` 0 too: the published values */
  double high;
  double steepness;   /* 0: 1, or 4 for EGS_ASSIGN_SIGMOID */
  uint64_t min_evals; /* layers with fewer eigenvalues get 1; 0: 50 */
  const char *metric; /* NULL: "alpha" */
} egs_multiplier_options;

/* A factor for the learning rate or weight decay of every tensor of the last commit, in the order submitted (each name once): 1 for
 * what was not analysed. `count` receives how many there are. With `out` NULL and `capacity` 0 only that; with too little room
 * EGS_ERR_INVALID_ARGUMENT. */
EGS_API egs_status egs_monitor_multipliers(const egs_monitor *monitor, const egs_multiplier_options *options, float *out,
                                           size_t capacity, size_t *count, egs_error **error);

#ifdef __cplusplus
}
#endif
#endif /* EIGENSCOPE_H */
