// eigenscope/torch.hpp -- submits tensors of libtorch.
//
// Compiled in the trainer's own unit, against the trainer's own libtorch, whatever its version: libeigenscope itself neither links
// libtorch nor knows its types.
//
//     for (const auto &parameter : model->named_parameters())
//       eigenscope::submit(monitor, parameter.key(), parameter.value());
//     monitor.commit(step, epoch, loss);
#ifndef EIGENSCOPE_TORCH_HPP
#define EIGENSCOPE_TORCH_HPP

#include <ATen/ATen.h>

#include "eigenscope.hpp"

namespace eigenscope {
inline namespace v0 {

// The EGS_ constant of a scalar type; 0 for types the engine has no numbers for.
inline int32_t dtype_of(at::ScalarType type) noexcept {
  switch (type) {
    case at::kDouble: return EGS_F64;
    case at::kFloat: return EGS_F32;
    case at::kHalf: return EGS_F16;
    case at::kBFloat16: return EGS_BF16;
    case at::kLong: return EGS_I64;
    case at::kInt: return EGS_I32;
    case at::kShort: return EGS_I16;
    case at::kChar: return EGS_I8;
    case at::kByte: return EGS_U8;
    case at::kBool: return EGS_BOOL;
    default: return 0;
  }
}

// A view of a dense tensor on the CPU; it must stay while the view is used.
inline Tensor view(const at::Tensor &tensor) {
  return Tensor(tensor.const_data_ptr(), dtype_of(tensor.scalar_type()), tensor.sizes().vec()).strides(tensor.strides().vec());
}

// Submits a tensor to a monitor: one on another device, sparse, or with a lazy conjugate is brought to the CPU and made plain first.
// The copy that the monitor takes is its own, so the optimizer may go on at once. EGS_BORROW is not for this function: a tensor's
// memory is libtorch's to move.
inline Returned<void> submit(const Monitor &monitor, std::string_view name, const at::Tensor &tensor,
                             uint32_t flags = EGS_ROLE_WEIGHT) {
  at::Tensor plain = tensor.detach();
  if (plain.layout() != at::kStrided) plain = plain.to_dense();
  plain = plain.resolve_conj().resolve_neg().to(at::kCPU);
  return monitor.submit(name, view(plain), flags & ~EGS_BORROW);
}

}  // namespace v0
}  // namespace eigenscope

#endif  // EIGENSCOPE_TORCH_HPP
