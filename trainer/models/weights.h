#pragma once
#include "trainer/models/backbone.h"
#include "trainer/models/module.h"
#include "trainer/tensors/safetensors.h"

namespace duet {

/// How the tensors of a file and of a network match, by name, shape and type.
struct WeightReport {
  std::int64_t fitting = 0;             ///< tensors of the network that the file holds with the same shape, as floating numbers
  std::vector<std::string> missing;     ///< in the network, not in the file
  std::vector<std::string> mismatched;  ///< "name: 64x3x3x3 in the file, 32x3x3x3 in the network", or its type
  std::vector<std::string> unused;      ///< in the file, not in the network (a classifier, layers behind the tap)
  bool complete() const { return missing.empty() && mismatched.empty(); }
};

struct BackboneReport : WeightReport {
  std::string prefix;   ///< that was taken off all keys; empty: none
  std::string scaling;  ///< "half, (x - 0.5) / 0.5, as the file says"
};

/// Compares without loading. `prefix` stands in front of every name in the file ("backbone." for a checkpoint of the retrieval network).
/// num_batches_tracked of batch normalisations and a backbone's input_mean and input_deviation may be absent or present.
WeightReport compare_weights(const Module& module, const SafetensorsFile& file, const std::string& prefix = "");

/// Fills the network from the file, converting floating types. Throws DataError, and changes nothing, unless every tensor of the network is
/// in it; the message says which keys fit, and of which known backbone the file seems to be.
WeightReport load_weights(Module& module, const std::filesystem::path& file, const std::string& prefix = "");

/// The same for a backbone, which also refuses weights that cannot have been trained (not finite, negative variances, kernels that are zero
/// throughout), takes off a prefix that all keys share (module., _orig_mod., backbone., model.) and sets the normalisation that belongs to
/// the weights: what `scaling` names, or with auto_ the file's own buffers, else what its metadata entry
/// 'input' says, else the habit of the backbone's usual weights, with a warning.
BackboneReport load_backbone_weights(Backbone& backbone, const std::filesystem::path& file, WeightsScaling scaling = WeightsScaling::auto_);

}  // namespace duet
