#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/named_tensor.h"

namespace duet {

/// Which names two lists of tensors must share.
enum class Match {
  all,   ///< each name of either stands in the other
  some,  ///< those of the source are known; what it lacks stays as it is
};

/// Tensors by name, in an order: a network's state, what an optimiser keeps, the content of a file. Shares the tensors' storage: a copy of
/// the list sees the same values. Names are unique where values are copied.
///
/// Copying between two such lists goes by name, whatever their orders, between any devices and floating types. What does not fit is refused
/// with a DataError, "SUBJECT: 'NAME' is missing. …", before any value has changed.
struct NamedTensors : std::vector<NamedTensor> {
  using std::vector<NamedTensor>::vector;

  /// Writes the values of `other` into these tensors. `subject` says in messages whose values they are: a file, "state of the optimiser".
  void copy_from(const NamedTensors& other, Match match, const std::string& subject) const;

  /// Exchanges the values with those of `other`, which has the same names.
  void swap_values(const NamedTensors& other, const std::string& subject) const;

  /// For each of these tensors that of `other` with its name; undefined where Match::some lets it lack.
  std::vector<Tensor> partners_in(const NamedTensors& other, Match match, const std::string& subject) const;

  /// The same values in memory of its own, without gradient.
  NamedTensors clone() const;

  /// Of all values in their order; names do not enter.
  std::uint64_t checksum() const;
};

}  // namespace duet
