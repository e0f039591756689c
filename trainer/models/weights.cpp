#include "trainer/models/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/log.h"

namespace duet {
namespace {

std::string shape_text(at::IntArrayRef shape) { return shape.empty() ? "scalar" : fmt::format("{}", fmt::join(shape, "x")); }

bool ends_with_part(const std::string& name, const std::string& part) { return name == part || name.ends_with("." + part); }

bool is_normalisation(const std::string& name) { return ends_with_part(name, "input_mean") || ends_with_part(name, "input_deviation"); }

/// The first few, for a message.
std::string some(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 3;
  auto shown = std::vector<std::string>(names.begin(), names.begin() + std::min(names.size(), kShown));
  return fmt::format("{}{}", fmt::join(shown, ", "), names.size() > kShown ? ", …" : "");
}

/// Tells the three known architectures apart by a key that only one of them has.
std::string guess_backbone(const SafetensorsFile& file, const std::string& prefix) {
  if (file.find(prefix + "Mixed_6e.branch1x1.conv.weight")) return "inception_v3";
  if (file.find(prefix + "features.13.conv.0.0.weight")) return "mobilenet_v2";
  if (const auto* last = file.find(prefix + "features.28.weight"); last && last->shape.size() == 4) return "vgg16";
  if (file.find(prefix + "layers.3.conv.weight")) return "tiny";
  return "";
}

WeightReport load_checked(Module& module, const SafetensorsFile& file, const std::string& prefix) {
  auto report = compare_weights(module, file, prefix);
  if (!report.complete()) {
    auto total = report.fitting + static_cast<std::int64_t>(report.missing.size() + report.mismatched.size());
    auto message = fmt::format("{}: {} of the network's {} tensors fit", file.path().string(), report.fitting, total);
    if (!report.missing.empty()) message += fmt::format("; {} are not in the file ({})", report.missing.size(), some(report.missing));
    if (!report.mismatched.empty()) message += fmt::format("; {} differ in shape ({})", report.mismatched.size(), some(report.mismatched));
    if (!report.unused.empty()) message += fmt::format("; the file also holds {} others ({})", report.unused.size(), some(report.unused));
    auto guess = guess_backbone(file, prefix);
    if (!guess.empty()) message += fmt::format(". By its keys the file is of '{}'", guess);
    throw DataError("{}. Nothing was loaded.", message);
  }
  at::NoGradGuard no_gradient;
  for (auto& [name, tensor] : module.state()) {
    if (file.find(prefix + name)) tensor.copy_(file.read(prefix + name));
  }
  return report;
}

}  // namespace

WeightReport compare_weights(const Module& module, const SafetensorsFile& file, const std::string& prefix) {
  WeightReport report;
  std::set<std::string> wanted;
  for (const auto& [name, tensor] : module.state()) {
    wanted.insert(prefix + name);
    const auto* entry = file.find(prefix + name);
    if (entry == nullptr) {
      if (!is_normalisation(name)) report.missing.push_back(name);
    } else if (tensor.sizes() != at::IntArrayRef(entry->shape)) {
      report.mismatched.push_back(
          fmt::format("{}: {} in the file, {} in the network", name, shape_text(entry->shape), shape_text(tensor.sizes())));
    } else {
      ++report.fitting;
    }
  }
  for (const auto& entry : file.entries()) {
    if (!wanted.contains(entry.name) && !ends_with_part(entry.name, "num_batches_tracked")) report.unused.push_back(entry.name);
  }
  return report;
}

WeightReport load_weights(Module& module, const std::filesystem::path& file, const std::string& prefix) {
  return load_checked(module, SafetensorsFile(file), prefix);
}

WeightReport load_backbone_weights(Backbone& backbone, const std::filesystem::path& file, const std::string& prefix) {
  SafetensorsFile opened(file);
  auto report = load_checked(backbone, opened, prefix);
  if (opened.find(prefix + "input_mean") && opened.find(prefix + "input_deviation")) return report;  // loaded with the rest
  Normalisation normalisation;
  auto input = opened.metadata().find("input");
  if (input != opened.metadata().end() && input->second.find("ImageNet") == std::string::npos) {
    if (input->second == "RGB/255") {
      normalisation = {{0, 0, 0}, {1, 1, 1}};
    } else {
      warn("{}: input scaling '{}' is not known; ImageNet's mean and deviation are taken", file.string(), input->second);
    }
  }
  backbone.set_normalisation(normalisation);
  return report;
}

}  // namespace duet
