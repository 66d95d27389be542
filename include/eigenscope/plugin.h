/* eigenscope/plugin.h -- how to teach Eigenscope a file format in C or C++.
 *
 * Fill in one table, egs_loader, and hand it over: from a shared library by exporting egs_plugin_entry_v1(), or from your program with
 * egs_engine_register_loader(). examples/plugin-c is a complete one. C++ authors include plugin.hpp, which turns a class into such a
 * table and exceptions into errors. A plugin needs these headers and links nothing of Eigenscope.
 *
 *
 * Rules
 * -----
 *  1. Export egs_plugin_entry_v1 and nothing else (-fvisibility=hidden).
 *  2. Nothing unwinds through a function of the table: no exception, no longjmp. Return a status, after call->set_error().
 *  3. A library is never unloaded. Its table, and all the table points to, stay constant once they are handed over.
 *  4. Functions are called on any thread. Calls on one model come one at a time, calls on different models may come together;
 *     EGS_LOADER_SERIAL makes all calls of the loader come one at a time.
 *  5. Whoever allocates frees: models by close(), tensors by their DLPack deleter, which may run on any thread; a model is closed after its tensors.
 *     Nothing else that is allocated crosses.
 *  6. Start no thread that outlives a call; install no signal handler, no atexit handler; write nothing to stdout or stderr, use
 *     call->log(). No network, no environment, no file but the input and its neighbours.
 *  7. The input is not to be trusted. Check every size before you believe it.
 *
 *
 * Versions
 * --------
 * The major version is in the symbol name and in the table; it does not change lightly. A minor version appends fields to structs, whose
 * size says what is there: neither side reads beyond struct_size, and what an older host does not know must be zero. */
#ifndef EIGENSCOPE_PLUGIN_H
#define EIGENSCOPE_PLUGIN_H

#include "eigenscope.h"

#if defined(_WIN32)
#define EGS_PLUGIN_EXPORT __declspec(dllexport)
#else
#define EGS_PLUGIN_EXPORT __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define EGS_PLUGIN_ABI_MAJOR 1
#define EGS_PLUGIN_ABI_MINOR 0

/* Who loads. Static: the pointer stays good. */
typedef struct egs_host {
  size_t struct_size;
  uint32_t abi_major;
  uint32_t abi_minor;
} egs_host;

/* What a loader may ask of the host during one call. */
typedef struct egs_call egs_call;
struct egs_call {
  size_t struct_size;
  void *host; /* the host's own */

  /* Says why the call is about to fail. The message is copied; the last one counts. What was expected, what was found, where. */
  void (*set_error)(egs_call *call, egs_status status, const char *message) EGS_NOEXCEPT;

  /* Says something to whoever listens: EGS_LOG_ERROR to EGS_LOG_DEBUG. */
  void (*log)(egs_call *call, int32_t level, const char *message) EGS_NOEXCEPT;
};

/* The file to open. The struct lives during open(), the data until close(). */
typedef struct egs_input {
  size_t struct_size;
  const char *name; /* as the user named it, for messages and for its extension */
  const char *path; /* on disk; NULL for a file in memory */
  const void *data; /* the whole file, read-only, mapped or in memory */
  uint64_t size;
} egs_input;

/* What a tensor is for: egs_tensor_info.role. */
#define EGS_TENSOR_WEIGHT 0
#define EGS_TENSOR_BUFFER 1
#define EGS_TENSOR_OPTIMIZER 2
#define EGS_TENSOR_CONSTANT 3

/* One tensor of the list. Pointers live until the next call on the model. */
typedef struct egs_tensor_info {
  size_t struct_size;   /* set by the host: the room there is */
  const char *name;     /* unique in the model, not empty */
  const char *note;     /* NULL, or why it is not a layer: it is then listed and not analysed */
  const int64_t *shape; /* ndim extents */
  int32_t ndim;         /* 0 to EGS_MAX_NDIM */
  int32_t dtype;        /* EGS_F32, ... */
  int32_t kind;         /* EGS_KIND_*; 0: judged by rank and name */
  int32_t layout;       /* EGS_LAYOUT_* */
  int32_t role;         /* EGS_TENSOR_* */
  uint32_t reserved;    /* 0 */
} egs_tensor_info;

/* An open model: the loader's own. */
typedef struct egs_model egs_model;

#define EGS_LOADER_SERIAL ((uint64_t)1)

typedef struct egs_loader {
  size_t struct_size; /* sizeof(egs_loader) */
  uint32_t abi_major; /* EGS_PLUGIN_ABI_MAJOR */
  uint32_t abi_minor; /* EGS_PLUGIN_ABI_MINOR */
  uint64_t flags;     /* EGS_LOADER_* */
  const char *name;       /* short, lower case: "rawnet" */
  const char *version;    /* the loader's own */
  const char *extensions; /* lower case, without dots, separated by spaces: "raw rnet" */
  void *context;          /* handed to probe and open */

  /* How sure you are that a file is yours, from its name, its first bytes (up to 4096) and its size: 0 not mine, 20 the extension only,
   * 60 the container fits, 100 a signature of the format itself. Must not fail. */
  int32_t (*probe)(void *context, const char *file_name, const void *head, size_t head_size, uint64_t file_size) EGS_NOEXCEPT;

  /* Reads the structure, not the weights. */
  egs_status (*open)(void *context, egs_call *call, const egs_input *input, egs_model **out) EGS_NOEXCEPT;
  void (*close)(egs_model *model) EGS_NOEXCEPT;

  /* The list of tensors, in the order of the file; nothing is left out. */
  egs_status (*tensor_count)(egs_call *call, egs_model *model, uint64_t *out) EGS_NOEXCEPT;
  egs_status (*tensor_info)(egs_call *call, egs_model *model, uint64_t index, egs_tensor_info *out) EGS_NOEXCEPT;

  /* The tensor at an index of the list, of the type and shape listed: CPU, strides never NULL unless ndim is 0. It is read in place
   * and must stay unchanged until its deleter runs. The model is closed only after that, so pointers into the input are fine.
   * Repeatable. */
  egs_status (*tensor_read)(egs_call *call, egs_model *model, uint64_t index, struct DLManagedTensorVersioned **out) EGS_NOEXCEPT;

  /* New fields come here: EGS_PLUGIN_ABI_MINOR goes up, and a pin is added below. */
} egs_loader;

/* Called once per process and library. Returns a table that stays, or NULL when this host is too old. */
EGS_PLUGIN_EXPORT const egs_loader *egs_plugin_entry_v1(const egs_host *host);

/* Pins: whoever compiles this, host or plugin, finds out at once if a released field ever moves. */
#if UINTPTR_MAX == UINT64_MAX
#if defined(__cplusplus)
#define EGS_PIN(condition) static_assert(condition, "a field of the plugin ABI moved")
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define EGS_PIN(condition) _Static_assert(condition, "a field of the plugin ABI moved")
#endif
#endif
#ifdef EGS_PIN
EGS_PIN(sizeof(egs_host) == 16);
EGS_PIN(offsetof(egs_call, set_error) == 16 && sizeof(egs_call) == 32);
EGS_PIN(offsetof(egs_input, size) == 32 && sizeof(egs_input) == 40);
EGS_PIN(offsetof(egs_tensor_info, role) == 48 && sizeof(egs_tensor_info) == 56);
EGS_PIN(offsetof(egs_loader, name) == 24 && offsetof(egs_loader, probe) == 56);
EGS_PIN(offsetof(egs_loader, tensor_read) == 96 && sizeof(egs_loader) == 104);
#endif

#ifdef __cplusplus
}
#endif
#endif /* EIGENSCOPE_PLUGIN_H */
