#include "trainer/models/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
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

/// The backbone that a file seems to be of; empty: none that is known.
std::string guess_backbone(const SafetensorsFile& file, const std::string& prefix) {
  for (const auto& [name, kind] : backbone_kinds()) {
    const auto* kernel = file.find(prefix + kind.telling_kernel);
    if (kernel != nullptr && kernel->shape.size() == 4) return name;
  }
  return "";
}

/// Refuses a tensor of a trained backbone that cannot be one.
void check_sanity(const SafetensorsFile& file, const std::string& name, const Tensor& tensor) {
  const auto refuse = [&](const std::string& what) {
    throw DataError(
        "{}, tensor '{}': {}. Such weights were damaged, or converted wrongly: convert them anew, arrays contiguous "
        "(docs/configuration.md, \"Weights\"). Nothing was loaded.",
        file.path().string(), name, what);
  };
  const auto values = tensor.to(at::kDouble);
  if (!at::isfinite(values).all().item<bool>()) refuse("holds values that are not finite");
  const bool kernel = tensor.dim() == 4, variance = ends_with_part(name, "running_var");
  if (variance && (values < 0).any().item<bool>()) refuse("holds variances below zero");
  if ((kernel || variance) && !values.any().item<bool>()) refuse("is zero throughout");
  constexpr double kLargestWeight = 1e4;  // trained kernels reach some tens
  if (kernel && values.abs().max().item<double>() > kLargestWeight) refuse(fmt::format("holds weights above {}", kLargestWeight));
}

void check_nothing(const SafetensorsFile&, const std::string&, const Tensor&) {}

/// What wrappers (DataParallel, torch.compile, Lightning, a network around the backbone) put in front of every key; longest first found.
std::string common_prefix(const SafetensorsFile& file, const Module& module) {
  std::string prefix;
  const auto all_begin_with = [&](const std::string& start) {
    return std::ranges::all_of(file.entries(), [&](const auto& entry) { return entry.name.starts_with(start); });
  };
  for (bool longer = !file.entries().empty(); longer;) {
    if (compare_weights(module, file, prefix).fitting > 0) break;
    longer = false;
    for (const char* part : {"module.", "_orig_mod.", "backbone.", "model."}) {
      if (!all_begin_with(prefix + part)) continue;
      prefix += part;
      longer = true;
      break;
    }
  }
  return prefix;
}

struct Scaling {
  const char* formula;
  Normalisation normalisation;
};

Scaling scaling_of(WeightsScaling choice) {
  switch (choice) {
    case WeightsScaling::imagenet:
      return {"ImageNet's mean and deviation", {}};
    case WeightsScaling::half:
      return {"(x - 0.5) / 0.5", {{0.5, 0.5, 0.5}, {0.5, 0.5, 0.5}}};
    case WeightsScaling::unit:
      return {"x from 0 to 1 as it is", {{0, 0, 0}, {1, 1, 1}}};
    case WeightsScaling::caffe:  // torchvision's transforms of VGG16's IMAGENET1K_FEATURES
      return {"255 x less the mean of ImageNet",
              {{0.48235, 0.45882, 0.40784}, {0.00392156862745098, 0.00392156862745098, 0.00392156862745098}}};
    case WeightsScaling::auto_:
      break;
  }
  throw InternalError("no scaling was chosen");
}

/// The scaling that a file's metadata entry 'input' means; nothing: not known.
std::optional<WeightsScaling> scaling_in_words(std::string input) {
  std::ranges::transform(input, input.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  std::erase(input, ' ');
  if (const auto named = from_word<WeightsScaling>(input); named && named != WeightsScaling::auto_) return named;
  if (input == "rgb/255") return WeightsScaling::unit;
  if (input.find("imagenet") != std::string::npos) return WeightsScaling::imagenet;
  if (input.find("(x-0.5)/0.5") != std::string::npos || input.find("-1..1") != std::string::npos ||
      input.find("[-1,1]") != std::string::npos)
    return WeightsScaling::half;
  return std::nullopt;
}

/// Returns what was set and why, in words.
std::string set_scaling(Backbone& backbone, const SafetensorsFile& file, const std::string& prefix, WeightsScaling choice) {
  std::string reason = "as the option says";
  if (choice == WeightsScaling::auto_) {
    if (file.find(prefix + "input_mean") && file.find(prefix + "input_deviation")) return "mean and deviation of its own, from the file";
    const auto input = file.metadata().find("input");
    const auto said = input == file.metadata().end() ? std::nullopt : scaling_in_words(input->second);
    choice = said.value_or(backbone_kind(backbone.name()).habit(file, prefix));
    reason = said ? "as the file says" : "by habit";
    if (!said) {
      warn(
          "{}: {} which scaling of images these weights take. Duet takes '{}', {}, the habit of {}. With the wrong one, retrieval is worse "
          "and nothing else tells: say it by retrieval.weights_scaling or generator.weights_scaling.",
          file.path().string(), input == file.metadata().end() ? "does not say" : fmt::format("says '{}', not known here,", input->second),
          to_word(choice), scaling_of(choice).formula, backbone.name());
    }
  }
  const auto scaling = scaling_of(choice);
  backbone.set_normalisation(scaling.normalisation);
  return fmt::format("{}, {}, {}", to_word(choice), scaling.formula, reason);
}

template <typename Check>
WeightReport load_checked(Module& module, const SafetensorsFile& file, const std::string& prefix, Check check) {
  auto report = compare_weights(module, file, prefix);
  if (!report.complete()) {
    auto total = report.fitting + static_cast<std::int64_t>(report.missing.size() + report.mismatched.size());
    auto message = fmt::format("{}: {} of the network's {} tensors fit", file.path().string(), report.fitting, total);
    if (!report.missing.empty()) message += fmt::format("; {} are not in the file ({})", report.missing.size(), some(report.missing));
    if (!report.mismatched.empty())
      message += fmt::format("; {} differ in shape or type ({})", report.mismatched.size(), some(report.mismatched));
    if (!report.unused.empty()) message += fmt::format("; the file also holds {} others ({})", report.unused.size(), some(report.unused));
    auto guess = guess_backbone(file, prefix);
    if (!guess.empty()) message += fmt::format(". By its keys the file is of '{}'", guess);
    throw DataError("{}. Nothing was loaded.", message);
  }
  const auto state = module.state();
  NamedTensors found;  // nothing is changed before all was looked at
  for (const auto& [name, tensor] : state) {
    if (!file.find(prefix + name)) continue;
    found.push_back({name, file.read(prefix + name)});
    check(file, prefix + name, found.back().tensor);
  }
  state.copy_from(found, Match::some, file.path().string());
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
    } else if (tensor.is_floating_point() && !at::isFloatingType(entry->dtype)) {
      report.mismatched.push_back(fmt::format("{}: of type {} in the file, which is none of F16, BF16, F32 and F64", name, entry->type));
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
  return load_checked(module, SafetensorsFile(file), prefix, check_nothing);
}

BackboneReport load_backbone_weights(Backbone& backbone, const std::filesystem::path& file, WeightsScaling scaling) {
  SafetensorsFile opened(file);
  BackboneReport report;
  report.prefix = common_prefix(opened, backbone);
  static_cast<WeightReport&>(report) = load_checked(backbone, opened, report.prefix, check_sanity);
  report.scaling = set_scaling(backbone, opened, report.prefix, scaling);
  return report;
}

}  // namespace duet
