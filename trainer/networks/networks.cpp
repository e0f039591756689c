#include "trainer/networks/networks.h"

#include <ATen/autocast_mode.h>

#include <filesystem>

#include "base/error.h"
#include "base/log.h"
#include "cluster/run/run_folder.h"
#include "trainer/models/weights.h"
#include "trainer/schedule/schedule.h"

namespace duet {
namespace {

void require_file(const std::string& option, const std::string& file) {
  if (!std::filesystem::exists(file)) throw InputMissing("{}: there is no file '{}'.", option, file);
}

template <typename Network>
void load_backbone(Network& network, const std::string& file, WeightsScaling scaling, const char* what) {
  if (file.empty()) return;
  require_file(fmt::format("{}.weights", what), file);
  const auto report = load_backbone_weights(network.backbone(), file, scaling);
  say("{}: {} tensors of {} from {} ({} in the file not used){}; scaling of images: {}", what, report.fitting, network.backbone().name(),
      file, report.unused.size(), report.prefix.empty() ? "" : fmt::format(", '{}' taken off every key", report.prefix), report.scaling);
}

// A run's folder stands for the file of that network in its newest checkpoint.
std::filesystem::path initial_file(const std::string& path, const char* what) {
  if (!std::filesystem::is_directory(path)) return path;
  const auto newest = RunFolder(path).checkpoints().newest();
  if (!newest) throw InputMissing("{}.initial: {} is a folder without checkpoints: neither a file of weights nor a run's.", what, path);
  return *newest / CheckpointFile::of_network(what);
}

void load_initial(Module& network, const std::string& path, const char* what) {
  if (path.empty()) return;
  const auto file = initial_file(path, what);
  require_file(fmt::format("{}.initial", what), file);
  load_weights(network, file);
}

}  // namespace

Autocast::Autocast(const Device& device)
    : type_(device.device.type()), on_(device.autocast_bf16), before_(on_ && at::autocast::is_autocast_enabled(type_)) {
  if (!on_) return;
  at::autocast::set_autocast_enabled(type_, true);
  at::autocast::set_autocast_dtype(type_, at::kBFloat16);
  at::autocast::increment_nesting();
}

Autocast::~Autocast() {
  if (!on_) return;
  if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(type_, before_);
}

Networks::Networks(const TrainingConfig& config, Communicator* statistics, const Device& device)
    : config_(config), context_{.dtype = device.dtype, .device = device.device, .seed = config.run.seed, .statistics = statistics} {
  const Schedule schedule(config);
  retrieval = std::make_unique<RetrievalNetwork>(config.retrieval, context_.within("retrieval"));
  load_backbone(*retrieval, config.retrieval.weights, config.retrieval.weights_scaling, "retrieval");
  load_initial(*retrieval, config.retrieval.initial, "retrieval");
  if (config.retrieval.average_decay > 0) average.emplace(*retrieval, config.retrieval.average_decay);
  if (schedule.has_generator_stages()) {
    generator = std::make_unique<Generator>(config.generator, context_.within("generator"));
    load_backbone(*generator, config.generator.weights, config.generator.weights_scaling, "generator");
    load_initial(*generator, config.generator.initial, "generator");
  }
  if (schedule.trains_discriminator()) {
    discriminator = std::make_unique<Discriminator>(config.discriminator, config.data.image_side, context_.within("discriminator"));
  }
}

void Networks::make_teacher() {
  teacher = std::make_unique<RetrievalNetwork>(config_.retrieval, context_.within("retrieval"));
  teacher->set_training(false);
  teacher->set_requires_grad(false);
}

void Networks::begin_joint() {
  if (average) average->copy_to(*retrieval);
  if (config_.joint.distillation <= 0 && !generator) return;
  make_teacher();
  teacher->copy_from(*retrieval);
}

}  // namespace duet
