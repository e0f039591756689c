#pragma once
#include "base/torch.h"
#include "trainer/tensors/named_tensors.h"

namespace duet {

class Communicator;

/// What every network is built with. `seed` and `scope` key the initial weights, so that these depend on neither rank,
/// thread nor order of construction.
struct NetworkContext {
  at::ScalarType dtype = at::kFloat;  ///< float32, or float64 for proofs of equality
  at::Device device = at::kCPU;
  std::uint64_t seed = 1;
  Communicator* statistics = nullptr;  ///< carries global batch statistics; null: this process is alone. Must outlive the network.
  std::string scope = {};              ///< dotted name of the part being built; two networks of one program need different ones

  /// The same for a part called `name`.
  NetworkContext within(const std::string& name) const;
  at::TensorOptions options() const { return at::TensorOptions().dtype(dtype).device(device); }
};

/// Initial values of the parameter `name` in context.scope: a function of (context.seed, scope, name) alone, drawn in float64 on the CPU
/// and rounded.
Tensor normal_values(const NetworkContext& context, const std::string& name, at::IntArrayRef shape, double deviation);
Tensor uniform_values(const NetworkContext& context, const std::string& name, at::IntArrayRef shape, double bound);  ///< in [-bound, bound)
Tensor constant_values(const NetworkContext& context, at::IntArrayRef shape, double value);

/// A network or a part of one: a tree of named parameters (trained) and buffers (running statistics and the like).
///
/// Parts are ordinary members; a constructor registers its tensors and parts by name. The tree keeps addresses of parts: a Module neither
/// moves nor copies. Every registered tensor is contiguous and keeps its identity for life (`to` and `copy_from` change its content, not
/// the handle). One thread at a time.
class Module {
 public:
  Module() = default;
  virtual ~Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;

  /// With dotted names, own tensors before parts, each in order of declaration. The tensors are the live ones.
  NamedTensors parameters() const;
  NamedTensors buffers() const;
  /// parameters(), then buffers(): what a checkpoint holds.
  NamedTensors state() const;

  /// Training mode (the state after construction) or evaluation, for all parts. Only batch normalisation cares.
  void set_training(bool training);
  bool training() const { return training_; }

  /// Moves and converts the floating tensors. Gradients are dropped; do it before optimisers and reducers take hold.
  void to(at::Device device, at::ScalarType dtype);

  /// Takes the values of a network of the same shape, of any device and floating type.
  /// Throws DataError naming the first tensor that differs.
  void copy_from(const Module& other);

  /// Switches gradients on or off for all parameters.
  void set_requires_grad(bool value);

 protected:
  /// Registers and returns a leaf that requires gradients.
  Tensor add_parameter(const std::string& name, Tensor initial);
  Tensor add_buffer(const std::string& name, Tensor initial);
  /// `part` must live as long as this; its tensors appear as name.…; an empty name adds nothing to theirs.
  void add_child(const std::string& name, Module& part);

 private:
  struct Child {
    std::string name;
    Module* part;
  };
  template <typename Visit>
  void walk(const std::string& prefix, const Visit& visit) const;

  NamedTensors parameters_, buffers_;
  std::vector<Child> children_;
  bool training_ = true;
};

/// Restores the mode of a network when the scope ends:  EvaluationMode guard(network);
class EvaluationMode {
 public:
  explicit EvaluationMode(Module& module) : module_(module), before_(module.training()) { module.set_training(false); }
  ~EvaluationMode() { module_.set_training(before_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  Module& module_;
  bool before_;
};

}  // namespace duet
