#include "trainer/learning/named_state.h"

#include <fmt/ranges.h>

#include "base/error.h"

namespace duet {

void copy_named_state(const std::string& subject, const std::vector<NamedTensor>& from, const std::vector<NamedTensor>& to) {
  std::map<std::string, Tensor> sources;
  for (const auto& [name, tensor] : from) {
    if (!sources.emplace(name, tensor).second) throw DataError("state of the {}: '{}' comes twice", subject, name);
  }
  std::vector<Tensor> ordered;
  for (const auto& [name, tensor] : to) {
    auto found = sources.find(name);
    if (found == sources.end()) throw DataError("state of the {}: '{}' is missing", subject, name);
    if (found->second.sizes() != tensor.sizes()) {
      throw DataError("state of the {}: '{}' has shape [{}], not [{}]", subject, name, fmt::join(found->second.sizes(), ", "),
                      fmt::join(tensor.sizes(), ", "));
    }
    ordered.push_back(found->second);
    sources.erase(found);
  }
  if (!sources.empty()) throw DataError("state of the {}: nothing is called '{}' here", subject, sources.begin()->first);
  at::NoGradGuard no_gradient;
  for (std::size_t i = 0; i < to.size(); ++i) to[i].tensor.copy_(ordered[i]);
}

}  // namespace duet
