#include "trainer/tensors/named_tensors.h"

#include <fmt/ranges.h>

#include <map>

#include "base/checksum.h"
#include "base/error.h"

namespace duet {
namespace {

[[noreturn]] void refuse(const std::string& subject, const std::string& fault) {
  throw DataError("{}: {}. Was it made by another version of this program?", subject, fault);
}

}  // namespace

std::vector<Tensor> NamedTensors::partners_in(const NamedTensors& other, Match match, const std::string& subject) const {
  std::map<std::string, Tensor> sources;
  for (const auto& [name, tensor] : other) {
    if (!sources.emplace(name, tensor).second) refuse(subject, fmt::format("'{}' comes twice", name));
  }
  std::vector<Tensor> partners;
  for (const auto& [name, tensor] : *this) {
    const auto found = sources.find(name);
    if (found == sources.end()) {
      if (match == Match::all) refuse(subject, fmt::format("'{}' is missing", name));
      partners.emplace_back();
      continue;
    }
    if (found->second.sizes() != tensor.sizes()) {
      refuse(subject,
             fmt::format("'{}' has shape [{}], not [{}]", name, fmt::join(found->second.sizes(), ", "), fmt::join(tensor.sizes(), ", ")));
    }
    partners.push_back(found->second);
    sources.erase(found);
  }
  if (!sources.empty()) refuse(subject, fmt::format("nothing is called '{}' here", sources.begin()->first));
  return partners;
}

void NamedTensors::copy_from(const NamedTensors& other, Match match, const std::string& subject) const {
  const auto sources = partners_in(other, match, subject);
  const at::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < size(); ++i) {
    if (sources[i].defined()) (*this)[i].tensor.copy_(sources[i]);
  }
}

void NamedTensors::swap_values(const NamedTensors& other, const std::string& subject) const {
  const auto partners = partners_in(other, Match::all, subject);
  const at::NoGradGuard no_gradients;
  for (std::size_t i = 0; i < size(); ++i) {
    const auto kept = (*this)[i].tensor.clone();
    (*this)[i].tensor.copy_(partners[i]);
    partners[i].copy_(kept);
  }
}

NamedTensors NamedTensors::clone() const {
  const at::NoGradGuard no_gradients;
  NamedTensors copies;
  for (const auto& [name, tensor] : *this) copies.push_back({name, tensor.detach().clone()});
  return copies;
}

std::uint64_t NamedTensors::checksum() const {
  std::uint64_t sum = 0;
  for (const auto& [name, tensor] : *this) {
    const auto host = tensor.detach().cpu().contiguous();
    sum = sum * 31 + duet::checksum({static_cast<const std::byte*>(host.data_ptr()), host.nbytes()});
  }
  return sum;
}

}  // namespace duet
