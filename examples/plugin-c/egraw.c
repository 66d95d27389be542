/* A plugin in C99 for raw tensors after a header of text:
 *
 *     egraw 1
 *     fc1.weight f32 128x784
 *     fc1.bias f32 128
 *     (an empty line, then the elements of every tensor in that order: little-endian, last axis fastest, no padding)
 *
 * The tensors are read where the host has mapped the file; nothing is copied. As the elements are handed on as they are, this is for
 * little-endian machines. */
#include <eigenscope/dlpack.h>
#include <eigenscope/plugin.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAGIC "egraw 1\n"
/* A header is a page of text. This also bounds what a hostile one makes us allocate. */
#define MAX_HEADER ((uint64_t)1 << 20)
/* Longest name, for messages too. */
#define MAX_NAME 255

typedef struct {
  const char *name;
  const unsigned char *data;
  int64_t shape[EGS_MAX_NDIM], strides[EGS_MAX_NDIM];
  int32_t ndim, dtype;
  DLDataType type;
} tensor;

struct egs_model {
  char *header; /* a copy; the names point into it */
  tensor *tensors;
  size_t count, room;
};

static const struct {
  const char *name;
  int32_t dtype;
  uint8_t code, bits;
} TYPES[] = {
    {"f64", EGS_F64, kDLFloat, 64}, {"f32", EGS_F32, kDLFloat, 32}, {"f16", EGS_F16, kDLFloat, 16}, {"bf16", EGS_BF16, kDLBfloat, 16},
    {"i64", EGS_I64, kDLInt, 64},   {"i32", EGS_I32, kDLInt, 32},   {"i16", EGS_I16, kDLInt, 16},   {"i8", EGS_I8, kDLInt, 8},
    {"u64", EGS_U64, kDLUInt, 64},  {"u32", EGS_U32, kDLUInt, 32},  {"u16", EGS_U16, kDLUInt, 16},  {"u8", EGS_U8, kDLUInt, 8},
};

/* Says why the file is refused, and returns the status. */
static egs_status refuse(egs_call *call, egs_status status, const char *format, ...) {
  char message[1024];
  va_list values;
  va_start(values, format);
  vsnprintf(message, sizeof message, format, values);
  va_end(values);
  call->set_error(call, status, message);
  return status;
}

static int32_t probe(void *context, const char *file_name, const void *head, size_t head_size, uint64_t file_size) {
  const char *extension = strrchr(file_name, '.');
  (void)context, (void)file_size;
  if (head_size >= sizeof MAGIC - 1 && memcmp(head, MAGIC, sizeof MAGIC - 1) == 0) return 100;
  return extension && strcmp(extension, ".egraw") == 0 ? 20 : 0;
}

/* Reads `4x3x2`, and from it the extents and the size in bytes; NULL, or what is wrong. */
static const char *parse_shape(tensor *out, const char *text, uint64_t *size) {
  uint64_t bytes = out->type.bits / 8;
  int64_t stride = 1;
  int32_t axis;
  for (out->ndim = 0;; text++) {
    uint64_t extent = 0;
    if (out->ndim == EGS_MAX_NDIM) return "a shape of more than 8 axes";
    if (*text < '0' || *text > '9') return "a shape is decimal numbers with an x between them";
    for (; *text >= '0' && *text <= '9'; text++) {
      if (extent > (uint64_t)INT64_MAX / 10 - 1) return "a shape larger than any memory";
      extent = extent * 10 + (uint64_t)(*text - '0');
    }
    /* As if an extent of 0 were 1: the strides below must not overflow either. */
    if (extent && bytes > (uint64_t)INT64_MAX / extent) return "a shape larger than any memory";
    bytes *= extent ? extent : 1;
    out->shape[out->ndim++] = (int64_t)extent;
    if (*text == '\0') break;
    if (*text != 'x') return "a shape is decimal numbers with an x between them";
  }
  for (axis = out->ndim - 1; axis >= 0; axis--) {
    out->strides[axis] = stride;
    if (out->shape[axis] == 0) bytes = 0;
    else stride *= out->shape[axis];
  }
  *size = bytes;
  return NULL;
}

/* Reads `name dtype shape`, cutting the line where its words end; NULL, or what is wrong. */
static const char *parse_line(tensor *out, char *line, uint64_t *size) {
  char *type = strchr(line, ' ');
  char *shape = type ? strchr(type + 1, ' ') : NULL;
  size_t i;
  if (!shape) return "expected three words: a name, a type, a shape";
  if (type == line) return "the name is empty";
  if (type - line > MAX_NAME) return "a name of more than 255 bytes";
  *type++ = '\0';
  *shape++ = '\0';
  out->name = line;
  for (i = 0; i < sizeof TYPES / sizeof TYPES[0]; i++) {
    if (strcmp(type, TYPES[i].name) != 0) continue;
    out->dtype = TYPES[i].dtype;
    out->type.code = TYPES[i].code;
    out->type.bits = TYPES[i].bits;
    out->type.lanes = 1;
    return parse_shape(out, shape, size);
  }
  return "expected a type of f64 f32 f16 bf16 i64 i32 i16 i8 u64 u32 u16 u8";
}

/* Room for one more tensor, or NULL. */
static tensor *append(egs_model *model) {
  if (model->count == model->room) {
    size_t room = model->room ? model->room * 2 : 16;
    tensor *more = (tensor *)realloc(model->tensors, room * sizeof *more);
    if (!more) return NULL;
    model->tensors = more;
    model->room = room;
  }
  return &model->tensors[model->count++];
}

/* The lines of the header after the first; `data` is what follows it. */
static egs_status parse_header(egs_call *call, egs_model *model, const unsigned char *data, uint64_t left) {
  char *line = model->header;
  unsigned number = 2;
  for (; *line; number++) {
    char *end = strchr(line, '\n');
    tensor *next = append(model);
    const char *wrong;
    uint64_t size = 0;
    if (!next) return refuse(call, EGS_ERR_OUT_OF_MEMORY, "no memory for the list of tensors");
    *end = '\0';
    wrong = parse_line(next, line, &size);
    if (wrong) return refuse(call, EGS_ERR_INVALID_DATA, "line %u: %s", number, wrong);
    if (size > left) {
      return refuse(call, EGS_ERR_INVALID_DATA, "line %u: '%s' needs %llu bytes, %llu are left in the file", number, next->name,
                    (unsigned long long)size, (unsigned long long)left);
    }
    next->data = data;
    data += size;
    left -= size;
    line = end + 1;
  }
  if (left) {
    return refuse(call, EGS_ERR_INVALID_DATA, "expected the file to end with its last tensor, found %llu more bytes",
                  (unsigned long long)left);
  }
  return EGS_OK;
}

static void close_model(egs_model *model) {
  free(model->header);
  free(model->tensors);
  free(model);
}

static egs_status open_model(void *context, egs_call *call, const egs_input *input, egs_model **out) {
  const unsigned char *bytes = (const unsigned char *)input->data;
  const uint64_t magic = sizeof MAGIC - 1;
  uint64_t end;
  egs_model *model;
  egs_status status;
  (void)context;
  if (input->size < magic || memcmp(bytes, MAGIC, (size_t)magic) != 0) {
    return refuse(call, EGS_ERR_INVALID_DATA, "expected a first line 'egraw 1'");
  }
  /* The end of the header: the first empty line. A zero byte would end the copy early. */
  for (end = magic; !(bytes[end - 1] == '\n' && end < input->size && bytes[end] == '\n'); end++) {
    if (end >= input->size || end >= MAX_HEADER || bytes[end] == '\0') {
      return refuse(call, EGS_ERR_INVALID_DATA, "expected an empty line at the end of a header of text, found none before byte %llu",
                    (unsigned long long)end);
    }
  }
  model = (egs_model *)calloc(1, sizeof *model);
  if (!model) return refuse(call, EGS_ERR_OUT_OF_MEMORY, "no memory");
  model->header = (char *)malloc((size_t)(end - magic) + 1);
  if (!model->header) {
    close_model(model);
    return refuse(call, EGS_ERR_OUT_OF_MEMORY, "no memory for the header");
  }
  memcpy(model->header, bytes + magic, (size_t)(end - magic));
  model->header[end - magic] = '\0';
  status = parse_header(call, model, bytes + end + 1, input->size - end - 1);
  if (status != EGS_OK) {
    close_model(model);
    return status;
  }
  *out = model;
  return EGS_OK;
}

static egs_status tensor_count(egs_call *call, egs_model *model, uint64_t *out) {
  (void)call;
  *out = model->count;
  return EGS_OK;
}

static egs_status tensor_info(egs_call *call, egs_model *model, uint64_t index, egs_tensor_info *out) {
  const tensor *found;
  if (index >= model->count) return refuse(call, EGS_ERR_NOT_FOUND, "there is no tensor %llu", (unsigned long long)index);
  found = &model->tensors[index];
  out->name = found->name;
  out->shape = found->shape;
  out->ndim = found->ndim;
  out->dtype = found->dtype;
  return EGS_OK;
}

static void delete_tensor(DLManagedTensorVersioned *lent) { free(lent); }

static egs_status tensor_read(egs_call *call, egs_model *model, uint64_t index, DLManagedTensorVersioned **out) {
  DLManagedTensorVersioned *lent;
  tensor *found;
  if (index >= model->count) return refuse(call, EGS_ERR_NOT_FOUND, "there is no tensor %llu", (unsigned long long)index);
  lent = (DLManagedTensorVersioned *)calloc(1, sizeof *lent);
  if (!lent) return refuse(call, EGS_ERR_OUT_OF_MEMORY, "no memory");
  found = &model->tensors[index];
  lent->version.major = DLPACK_MAJOR_VERSION;
  lent->version.minor = DLPACK_MINOR_VERSION;
  lent->flags = DLPACK_FLAG_BITMASK_READ_ONLY;
  lent->deleter = delete_tensor;
  /* The model, and with it data, shape and strides, stays until the deleter has run. */
  lent->dl_tensor.data = (void *)(uintptr_t)found->data;
  lent->dl_tensor.device.device_type = kDLCPU;
  lent->dl_tensor.ndim = found->ndim;
  lent->dl_tensor.dtype = found->type;
  lent->dl_tensor.shape = found->shape;
  lent->dl_tensor.strides = found->strides;
  *out = lent;
  return EGS_OK;
}

static const egs_loader EGRAW = {
    .struct_size = sizeof(egs_loader),
    .abi_major = EGS_PLUGIN_ABI_MAJOR,
    .abi_minor = EGS_PLUGIN_ABI_MINOR,
    .name = "egraw",
    .version = "1.0.0",
    .extensions = "egraw",
    .probe = probe,
    .open = open_model,
    .close = close_model,
    .tensor_count = tensor_count,
    .tensor_info = tensor_info,
    .tensor_read = tensor_read,
};

EGS_PLUGIN_EXPORT const egs_loader *egs_plugin_entry_v1(const egs_host *host) {
  return host->abi_major == EGS_PLUGIN_ABI_MAJOR ? &EGRAW : NULL;
}
