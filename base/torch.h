#pragma once
// The one way to LibTorch, and the project's precompiled header. Include it in .cpp files of trainer/ and cluster/reducer; headers of these
// rooms include it too, headers of other rooms never do. torch/torch.h would double the compile time: Duet needs tensors and autograd,
// not the C++ front end's modules. What defines a function of autograd includes torch/csrc/autograd/custom_function.h besides: in here,
// each of the units would instantiate its templates anew.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace duet {
using at::Tensor;
}
