/* A format written in this program: a table handed to egs_engine_register_loader(). The format is four letters, two sides, floats. */
#include <eigenscope/dlpack.h>
#include <eigenscope/eigenscope.h>
#include <eigenscope/plugin.h>

#include "check.h"

enum { ROWS = 50, COLS = 30, HEADER = 12 };

struct egs_model {
  const egs_input *input;
  const unsigned char *data;
  int64_t shape[2], strides[2];
};

static int opened, closed, lent, returned;

static int32_t probe(void *context, const char *file_name, const void *head, size_t head_size, uint64_t file_size) {
  (void)context, (void)file_name, (void)file_size;
  return head_size >= 4 && memcmp(head, "FLAT", 4) == 0 ? 100 : 0;
}

static egs_status open_model(void *context, egs_call *call, const egs_input *input, egs_model **out) {
  const unsigned char *bytes = (const unsigned char *)input->data;
  egs_model *model;
  uint32_t sides[2];
  (void)context;
  if (input->size < HEADER) {
    call->set_error(call, EGS_ERR_INVALID_DATA, "expected 12 bytes of header");
    return EGS_ERR_INVALID_DATA;
  }
  memcpy(sides, bytes + 4, sizeof sides);
  if (sides[0] > 1000 || sides[1] > 1000 || input->size - HEADER != (uint64_t)sides[0] * sides[1] * sizeof(float)) {
    call->set_error(call, EGS_ERR_INVALID_DATA, "the sides do not fit the size");
    return EGS_ERR_INVALID_DATA;
  }
  model = (egs_model *)calloc(1, sizeof *model);
  if (!model) return EGS_ERR_OUT_OF_MEMORY;
  model->data = bytes + HEADER;
  model->shape[0] = sides[0];
  model->shape[1] = model->strides[0] = sides[1];
  model->strides[1] = 1;
  call->log(call, EGS_LOG_INFO, "a flat file");
  opened++;
  *out = model;
  return EGS_OK;
}

static void close_model(egs_model *model) {
  closed++;
  CHECK(lent == returned); /* tensors go before their model */
  free(model);
}

static egs_status tensor_count(egs_call *call, egs_model *model, uint64_t *out) {
  (void)call, (void)model;
  *out = 1;
  return EGS_OK;
}

static egs_status tensor_info(egs_call *call, egs_model *model, uint64_t index, egs_tensor_info *out) {
  (void)call, (void)index;
  out->name = "flat.weight";
  out->shape = model->shape;
  out->ndim = 2;
  out->dtype = EGS_F32;
  return EGS_OK;
}

static void give_back(DLManagedTensorVersioned *tensor) {
  returned++;
  free(tensor);
}

static egs_status tensor_read(egs_call *call, egs_model *model, uint64_t index, DLManagedTensorVersioned **out) {
  DLManagedTensorVersioned *tensor = (DLManagedTensorVersioned *)calloc(1, sizeof *tensor);
  (void)call, (void)index;
  if (!tensor) return EGS_ERR_OUT_OF_MEMORY;
  tensor->version.major = DLPACK_MAJOR_VERSION;
  tensor->deleter = give_back;
  tensor->dl_tensor.data = (void *)(uintptr_t)model->data;
  tensor->dl_tensor.device.device_type = kDLCPU;
  tensor->dl_tensor.ndim = 2;
  tensor->dl_tensor.dtype.code = kDLFloat;
  tensor->dl_tensor.dtype.bits = 32;
  tensor->dl_tensor.dtype.lanes = 1;
  tensor->dl_tensor.shape = model->shape;
  tensor->dl_tensor.strides = model->strides;
  lent++;
  *out = tensor;
  return EGS_OK;
}

static const egs_loader flat = {
    .struct_size = sizeof(egs_loader),
    .abi_major = EGS_PLUGIN_ABI_MAJOR,
    .abi_minor = EGS_PLUGIN_ABI_MINOR,
    .name = "flat",
    .version = "1",
    .extensions = "flat",
    .probe = probe,
    .open = open_model,
    .close = close_model,
    .tensor_count = tensor_count,
    .tensor_info = tensor_info,
    .tensor_read = tensor_read,
};

int main(void) {
  static unsigned char file[HEADER + ROWS * COLS * sizeof(float)];
  static float weights[ROWS * COLS];
  const uint32_t sides[2] = {ROWS, COLS};
  const int64_t shape[2] = {ROWS, COLS};
  egs_tensor tensor = EGS_INIT(egs_tensor);
  egs_engine_options options = EGS_INIT(egs_engine_options);
  egs_engine *engine = NULL;
  egs_report *report = NULL;
  egs_error *error = NULL;
  egs_loader wrong = flat;
  double alpha, expected;
  int i;
  for (i = 0; i < ROWS * COLS; i++) weights[i] = (float)noise();
  memcpy(file, "FLAT", 4);
  memcpy(file + 4, sides, sizeof sides);
  memcpy(file + HEADER, weights, sizeof weights);
  tensor.data = weights;
  tensor.shape = shape;
  tensor.ndim = 2;
  tensor.dtype = EGS_F32;

  options.flags = EGS_ENGINE_NO_LOADERS;
  OK(egs_engine_new(&options, &engine, &error));
  REFUSED(egs_analyze_buffer(engine, "m.flat", file, sizeof file, NULL, &report, &error), EGS_ERR_UNSUPPORTED, "m.flat");
  OK(egs_engine_register_loader(engine, &flat, &error));
  CHECK(egs_engine_loaders(engine) == 1 && strcmp(egs_engine_loader_name(engine, 0), "flat") == 0);
  REFUSED(egs_engine_register_loader(engine, &flat, &error), EGS_ERR_INVALID_STATE, "'flat'");
  OK(egs_analyze_buffer(engine, "m.flat", file, sizeof file, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &alpha, &error));
  egs_report_free(report);
  OK(egs_analyze_tensor(engine, "flat.weight", &tensor, NULL, &report, &error));
  OK(egs_report_number(report, 0, "alpha", &expected, &error));
  egs_report_free(report);
  CHECK(alpha == expected);
  CHECK(opened == 1 && closed == 1 && lent >= 1 && lent == returned);
  REFUSED(egs_analyze_buffer(engine, "m.flat", file, sizeof file - 4, NULL, &report, &error), EGS_ERR_INVALID_DATA, "do not fit");
  REFUSED(egs_analyze_buffer(engine, "m.flat", file, 6, NULL, &report, &error), EGS_ERR_INVALID_DATA, "12 bytes");

  wrong.name = "wrong";
  wrong.abi_major = 2;
  REFUSED(egs_engine_register_loader(engine, &wrong, &error), EGS_ERR_ABI, "2");
  wrong.abi_major = EGS_PLUGIN_ABI_MAJOR;
  wrong.open = NULL;
  REFUSED(egs_engine_register_loader(engine, &wrong, &error), EGS_ERR_INVALID_ARGUMENT, "NULL");
  wrong.open = flat.open;
  wrong.struct_size = 16;
  REFUSED(egs_engine_register_loader(engine, &wrong, &error), EGS_ERR_INVALID_ARGUMENT, "struct_size");
  egs_engine_free(engine);
  return checked("loader");
}
