#include "trainer/models/module.h"

#include <ATen/CPUGeneratorImpl.h>

#include "base/checksum.h"
#include "base/error.h"
#include "base/random.h"

namespace duet {
namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  if (prefix.empty()) return name;
  return name.empty() ? prefix : prefix + "." + name;
}

/// Every tensor of initial weights has a generator of its own, so that no draw depends on what was built before it.
at::Generator generator_for(const NetworkContext& context, const std::string& name) {
  auto key = mix(mix(context.seed, static_cast<std::uint64_t>(Purpose::initial_weights)), checksum(bytes_of(joined(context.scope, name))));
  return at::make_generator<at::CPUGeneratorImpl>(key);
}

}  // namespace

NetworkContext NetworkContext::within(const std::string& name) const {
  auto part = *this;
  part.scope = joined(scope, name);
  return part;
}

Tensor normal_values(const NetworkContext& context, const std::string& name, at::IntArrayRef shape, double deviation) {
  return at::empty(shape, at::kDouble).normal_(0, deviation, generator_for(context, name)).to(context.options());
}

Tensor uniform_values(const NetworkContext& context, const std::string& name, at::IntArrayRef shape, double bound) {
  return at::empty(shape, at::kDouble).uniform_(-bound, bound, generator_for(context, name)).to(context.options());
}

Tensor constant_values(const NetworkContext& context, at::IntArrayRef shape, double value) {
  return at::full(shape, value, context.options());
}

template <typename Visit>
void Module::walk(const std::string& prefix, const Visit& visit) const {
  visit(*this, prefix);
  for (const auto& child : children_) child.part->walk(joined(prefix, child.name), visit);
}

NamedTensors Module::parameters() const {
  NamedTensors all;
  walk("", [&](const Module& part, const std::string& prefix) {
    for (const auto& [name, tensor] : part.parameters_) all.push_back({joined(prefix, name), tensor});
  });
  return all;
}

NamedTensors Module::buffers() const {
  NamedTensors all;
  walk("", [&](const Module& part, const std::string& prefix) {
    for (const auto& [name, tensor] : part.buffers_) all.push_back({joined(prefix, name), tensor});
  });
  return all;
}

NamedTensors Module::state() const {
  auto all = parameters();
  for (auto& buffer : buffers()) all.push_back(std::move(buffer));
  return all;
}

void Module::set_training(bool training) {
  training_ = training;
  for (auto& child : children_) child.part->set_training(training);
}

void Module::to(at::Device device, at::ScalarType dtype) {
  at::NoGradGuard no_gradient;
  for (auto& [name, tensor] : state()) {
    tensor.mutable_grad() = Tensor();
    // set_data keeps the handle: members, reducers and optimisers all see the new content.
    tensor.set_data(tensor.to(device, tensor.is_floating_point() ? dtype : tensor.scalar_type()));
  }
}

void Module::copy_from(const Module& other) { state().copy_from(other.state(), Match::all, "network to copy"); }

void Module::set_requires_grad(bool value) {
  for (auto& [name, tensor] : parameters()) tensor.set_requires_grad(value);
}

Tensor Module::add_parameter(const std::string& name, Tensor initial) {
  DUET_CHECK(initial.is_contiguous(), "parameter '{}' is not contiguous", name);
  initial.set_requires_grad(true);
  parameters_.push_back({name, initial});
  return initial;
}

Tensor Module::add_buffer(const std::string& name, Tensor initial) {
  DUET_CHECK(initial.is_contiguous(), "buffer '{}' is not contiguous", name);
  buffers_.push_back({name, initial});
  return initial;
}

void Module::add_child(const std::string& name, Module& part) { children_.push_back({name, &part}); }

}  // namespace duet
