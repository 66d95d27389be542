// eigenscope/plugin.hpp -- a loader as a C++17 class; plugin.h says what the rules are.
//
//     struct Raw {
//       static constexpr const char *name = "raw", *version = "1.0", *extensions = "raw";
//       static int32_t probe(std::string_view file, std::string_view head, uint64_t size);
//       static std::unique_ptr<eigenscope::plugin::Model> open(const egs_input &input);
//     };
//     EGS_EXPORT_LOADER(Raw)                              // in a shared library; or
//     engine.register_loader(eigenscope::plugin::table<Raw>());
//
// Whatever your class throws becomes the error of that one call: throw Refused to choose its status.
#ifndef EIGENSCOPE_PLUGIN_HPP
#define EIGENSCOPE_PLUGIN_HPP

#include "dlpack.h"
#include "plugin.h"

#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace eigenscope {
namespace plugin {
inline namespace v1 {

// Says no, with a status.
class Refused : public std::runtime_error {
 public:
  Refused(egs_status status, const std::string &message) : std::runtime_error(message), status_(status) {}
  egs_status status() const noexcept { return status_; }

 private:
  egs_status status_;
};

// One tensor of the list.
struct Info {
  std::string name;
  std::vector<int64_t> shape;
  int32_t dtype = EGS_F32;
  int32_t kind = EGS_KIND_AUTO;
  int32_t layout = EGS_LAYOUT_OUT_IN_SPATIAL;
  int32_t role = EGS_TENSOR_WEIGHT;
  std::string note;
};

// The elements of a tensor, dense, last axis fastest. It may own them, or point into the input: `std::shared_ptr<const void>(
// std::shared_ptr<void>(), pointer)`.
using Elements = std::shared_ptr<const void>;

// An open model.
class Model {
 public:
  virtual ~Model() = default;
  virtual const std::vector<Info> &tensors() const = 0;
  virtual Elements read(size_t index) = 0;
};

namespace detail {

// A model, and the list as C wants to see it.
struct Open {
  std::unique_ptr<Model> model;
};

// Runs something that may throw.
template <class F>
egs_status guarded(egs_call *call, F &&run) noexcept {
  try {
    run();
    return EGS_OK;
  } catch (const Refused &refused) {
    call->set_error(call, refused.status(), refused.what());
    return refused.status();
  } catch (const std::bad_alloc &) {
    call->set_error(call, EGS_ERR_OUT_OF_MEMORY, "out of memory");
    return EGS_ERR_OUT_OF_MEMORY;
  } catch (const std::exception &exception) {
    call->set_error(call, EGS_ERR_INTERNAL, exception.what());
    return EGS_ERR_INTERNAL;
  } catch (...) {
    call->set_error(call, EGS_ERR_INTERNAL, "an exception that is no std::exception");
    return EGS_ERR_INTERNAL;
  }
}

// The DLPack types of the header's constants.
inline DLDataType type_of(int32_t dtype) {
  auto of = [](int code, int bits) {
    DLDataType type;
    type.code = static_cast<uint8_t>(code);
    type.bits = static_cast<uint8_t>(bits);
    type.lanes = 1;
    return type;
  };
  switch (dtype) {
    case EGS_F64: return of(kDLFloat, 64);
    case EGS_F32: return of(kDLFloat, 32);
    case EGS_F16: return of(kDLFloat, 16);
    case EGS_BF16: return of(kDLBfloat, 16);
    case EGS_F8_E4M3: return of(10, 8);
    case EGS_F8_E5M2: return of(12, 8);
    case EGS_I64: return of(kDLInt, 64);
    case EGS_I32: return of(kDLInt, 32);
    case EGS_I16: return of(kDLInt, 16);
    case EGS_I8: return of(kDLInt, 8);
    case EGS_U64: return of(kDLUInt, 64);
    case EGS_U32: return of(kDLUInt, 32);
    case EGS_U16: return of(kDLUInt, 16);
    case EGS_U8: return of(kDLUInt, 8);
    case EGS_BOOL: return of(6, 8);
    default: throw Refused(EGS_ERR_INTERNAL, "an element type without an EGS_ constant");
  }
}

// A tensor on its way to the host.
struct Sent {
  DLManagedTensorVersioned managed{};
  std::vector<int64_t> shape, strides;
  Elements elements;

  static DLManagedTensorVersioned *of(const Info &info, Elements elements) {
    auto sent = std::make_unique<Sent>();
    sent->shape = info.shape;
    sent->strides.assign(info.shape.size(), 1);
    for (size_t axis = info.shape.size(); axis-- > 1;) sent->strides[axis - 1] = sent->strides[axis] * info.shape[axis];
    sent->elements = std::move(elements);
    auto &m = sent->managed;
    m.version = {DLPACK_MAJOR_VERSION, DLPACK_MINOR_VERSION};
    m.flags = DLPACK_FLAG_BITMASK_READ_ONLY;
    m.manager_ctx = sent.get();
    m.deleter = [](DLManagedTensorVersioned *self) { delete static_cast<Sent *>(self->manager_ctx); };
    m.dl_tensor.data = const_cast<void *>(sent->elements.get());
    m.dl_tensor.device = {kDLCPU, 0};
    m.dl_tensor.ndim = static_cast<int32_t>(info.shape.size());
    m.dl_tensor.dtype = type_of(info.dtype);
    m.dl_tensor.shape = sent->shape.data();
    m.dl_tensor.strides = sent->strides.data();
    return &sent.release()->managed;
  }
};

template <class Format>
struct Table {
  static int32_t probe(void *, const char *file, const void *head, size_t head_size, uint64_t size) noexcept {
    try {
      return Format::probe(file, std::string_view(static_cast<const char *>(head), head_size), size);
    } catch (...) {
      return 0;
    }
  }
  static egs_status open(void *, egs_call *call, const egs_input *input, egs_model **out) noexcept {
    return guarded(call, [&] {
      auto open = std::make_unique<Open>();
      open->model = Format::open(*input);
      if (!open->model) throw Refused(EGS_ERR_INTERNAL, "open() returned no model");
      *out = reinterpret_cast<egs_model *>(open.release());
    });
  }
  static void close(egs_model *model) noexcept { delete reinterpret_cast<Open *>(model); }
  static Model &of(egs_model *model) noexcept { return *reinterpret_cast<Open *>(model)->model; }
  static egs_status count(egs_call *call, egs_model *model, uint64_t *out) noexcept {
    return guarded(call, [&] { *out = of(model).tensors().size(); });
  }
  static egs_status info(egs_call *call, egs_model *model, uint64_t index, egs_tensor_info *out) noexcept {
    return guarded(call, [&] {
      const Info &info = of(model).tensors().at(index);
      out->name = info.name.c_str();
      out->note = info.note.empty() ? nullptr : info.note.c_str();
      out->shape = info.shape.data();
      out->ndim = static_cast<int32_t>(info.shape.size());
      out->dtype = info.dtype;
      out->kind = info.kind;
      out->layout = info.layout;
      out->role = info.role;
    });
  }
  static egs_status read(egs_call *call, egs_model *model, uint64_t index, DLManagedTensorVersioned **out) noexcept {
    return guarded(call, [&] {
      Model &open = of(model);
      const Info &info = open.tensors().at(index);
      *out = Sent::of(info, open.read(index));
    });
  }
};

}  // namespace detail

// The table of a class; constant, for the life of the process.
template <class Format>
const egs_loader *table() noexcept {
  using T = detail::Table<Format>;
  static const egs_loader loader = {
      sizeof(egs_loader), EGS_PLUGIN_ABI_MAJOR, EGS_PLUGIN_ABI_MINOR, 0,         Format::name, Format::version, Format::extensions,
      nullptr,            &T::probe,            &T::open,             &T::close, &T::count,    &T::info,        &T::read,
  };
  return &loader;
}

}  // namespace v1
}  // namespace plugin
}  // namespace eigenscope

#define EGS_EXPORT_LOADER(Format)                                                              \
  extern "C" EGS_PLUGIN_EXPORT const egs_loader *egs_plugin_entry_v1(const egs_host *host) {  \
    return host->abi_major == EGS_PLUGIN_ABI_MAJOR ? ::eigenscope::plugin::table<Format>() : nullptr; \
  }

#endif  // EIGENSCOPE_PLUGIN_HPP
