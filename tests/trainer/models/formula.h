#pragma once
#include <cmath>
#include <cstdint>
#include <string>

#include "trainer/models/module.h"

namespace duet {

/// [-1, 1): SplitMix64 from the FNV-1a hash of the name; the twin of uniform() in backbone_reference.py. float64.
inline Tensor formula_values(const std::string& name, at::IntArrayRef shape) {
  std::uint64_t key = 14695981039346656037ULL;
  for (unsigned char byte : name) key = (key ^ byte) * 1099511628211ULL;
  auto values = at::empty(shape, at::kDouble);
  auto* out = values.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    auto z = key + (static_cast<std::uint64_t>(i) + 1) * 0x9e3779b97f4a7c15ULL;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    z ^= z >> 31;
    out[i] = static_cast<double>(z >> 11) * 0x1.0p-52 - 1;
  }
  return values;
}

/// Fills parameters and running statistics by formula; the twin of fill(). The input normalisation of a backbone stays.
inline void fill_by_formula(const Module& module) {
  at::NoGradGuard no_gradient;
  for (auto& [name, tensor] : module.state()) {
    if (name.ends_with("input_mean") || name.ends_with("input_deviation")) continue;
    auto u = formula_values(name, tensor.sizes());
    if (tensor.dim() == 4) {
      u *= std::sqrt(6.0 / static_cast<double>(tensor[0].numel()));
    } else if (name.ends_with("running_var")) {
      u = 1 + 0.3 * u;
    } else if (name.ends_with("weight")) {
      u = 1 + 0.2 * u;
    } else {
      u = 0.2 * u;
    }
    tensor.copy_(u);
  }
}

}  // namespace duet
