#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <limits>

#include "base/file.h"
#include "launch/options/options.h"

namespace duet {
namespace {

// Which values an option takes: reads one from text, writes it as text, and says what it accepts.
struct Text {
  std::string accepts;
  bool may_be_empty = true;
};

struct Path {};

struct Name {
  std::vector<std::string> names;
};

struct Range {
  double least = -std::numeric_limits<double>::infinity();
  double most = std::numeric_limits<double>::infinity();
  bool above = false;  ///< least itself is refused
  bool below = false;  ///< most itself is refused
};

constexpr Path kPath{};
// One for each file of trainer/models/backbones/.
const Name kBackbones{{
#define BACKBONE(name) #name,
#include "backbones.inc"
#undef BACKBONE
}};
constexpr Range kAny{};
constexpr Range kPositive{.least = 0, .above = true};
constexpr Range kNotNegative{.least = 0};
constexpr Range kShare{.least = 0, .most = 1};
constexpr Range kBelowOne{.least = 0, .most = 1, .below = true};
constexpr Range kFactor{.least = 0, .most = 1, .above = true};
constexpr Range at_least(double least) { return {.least = least}; }
constexpr Range between(double least, double most) { return {.least = least, .most = most}; }

std::string describe(const Range& range, const std::string& kind) {
  const bool has_least = std::isfinite(range.least), has_most = std::isfinite(range.most);
  if (has_least && has_most) {
    return fmt::format("{} {} {} to {}{}", kind, range.above ? "above" : "from", range.least, range.below ? "below " : "", range.most);
  }
  if (has_least) return fmt::format("{} {} {}", kind, range.above ? ">" : "≥", range.least);
  return kind;
}

bool within(const Range& range, double value) {
  return std::isfinite(value) && (range.above ? value > range.least : value >= range.least) &&
         (range.below ? value < range.most : value <= range.most);
}

[[noreturn]] void refuse(const std::string& name, const std::string& text, const std::string& accepts) {
  throw UsageError("{}: '{}' is not accepted; it takes: {}.", name, text, accepts);
}

void read(const std::string& name, const std::string& text, const Text& kind, std::string& value) {
  if (text.empty() && !kind.may_be_empty) refuse(name, text, kind.accepts);
  value = text;
}

void read(const std::string&, const std::string& text, const Path&, std::string& value) { value = without_trailing_slash(text); }

void require_word(const std::string& name, const std::string& text, const std::vector<std::string>& words) {
  if (std::ranges::find(words, text) != words.end()) return;
  const auto near = nearest_name(text, words);
  throw UsageError("{}: '{}' is not one of {}.{}", name, text, fmt::join(words, ", "),
                   near.empty() ? "" : fmt::format(" Did you mean '{}'?", near));
}

void read(const std::string& name, const std::string& text, const Name& kind, std::string& value) {
  require_word(name, text, kind.names);
  value = text;
}

template <Choice T>
void read(const std::string& name, const std::string& text, const Range&, T& value) {
  require_word(name, text, words_of<T>());
  value = *from_word<T>(text);
}

void read(const std::string& name, const std::string& text, const Range&, bool& value) {
  for (const char* word : {"true", "yes", "on", "1"}) {
    if (text == word) {
      value = true;
      return;
    }
  }
  for (const char* word : {"false", "no", "off", "0"}) {
    if (text == word) {
      value = false;
      return;
    }
  }
  refuse(name, text, "true | false");
}

template <typename Number>
requires std::integral<Number> || std::floating_point<Number>
void read(const std::string& name, const std::string& text, const Range& range, Number& value) {
  Number parsed{};
  // from_chars knows no locale: a decimal comma stays an error everywhere.
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), parsed);
  if (fault != std::errc() || end != text.data() + text.size() || !within(range, static_cast<double>(parsed))) {
    refuse(name, text, describe(range, std::integral<Number> ? "whole number" : "number"));
  }
  value = parsed;
}

std::string write(const std::string& value) { return value; }
std::string write(bool value) { return value ? "true" : "false"; }
template <Choice T>
std::string write(T value) {
  return to_word(value);
}
template <typename Number>
requires std::integral<Number> || std::floating_point<Number> std::string write(Number value) {
  return fmt::format("{}", value);  // the shortest text that reads back to the same number
}

std::string accepts(const Text& kind, const std::string&) { return kind.accepts; }
std::string accepts(const Path&, const std::string&) { return "path"; }
std::string accepts(const Name& kind, const std::string&) { return fmt::format("{}", fmt::join(kind.names, " | ")); }
std::string accepts(const Range&, bool) { return "true | false"; }
template <Choice T>
std::string accepts(const Range&, T) {
  return fmt::format("{}", fmt::join(words_of<T>(), " | "));
}
template <typename Number>
requires std::integral<Number> || std::floating_point<Number> std::string accepts(const Range& range, Number) {
  return describe(range, std::integral<Number> ? "whole number" : "number");
}

enum class OnResume { may_change, fixed };
constexpr auto kFixed = OnResume::fixed;
constexpr auto kMayChange = OnResume::may_change;

// Rows of one section, in the order of their addition.
template <typename Section>
class SectionRows {
 public:
  SectionRows(std::vector<ConfigOption>& table, std::string section, Section TrainingConfig::*part)
      : table_(table), section_(std::move(section)), part_(part) {}

  template <typename Value, typename Kind>
  SectionRows& add(const char* key, Value Section::*field, Kind kind, OnResume on_resume, const char* help) {
    const auto name = section_ + "." + key;
    const auto part = part_;
    const auto defaults = TrainingConfig();
    table_.push_back({.name = name,
                      .accepts = accepts(kind, (defaults.*part).*field),
                      .help = help,
                      .default_text = write((defaults.*part).*field),
                      .fixed = on_resume == kFixed,
                      .set = [=](TrainingConfig& config, const std::string& text) { read(name, text, kind, (config.*part).*field); },
                      .get = [=](const TrainingConfig& config) { return write((config.*part).*field); }});
    return *this;
  }

 private:
  std::vector<ConfigOption>& table_;
  std::string section_;
  Section TrainingConfig::*part_;
};

std::vector<ConfigOption> make_table() {
  std::vector<ConfigOption> table;
  using R = RunConfig;
  SectionRows(table, "run", &TrainingConfig::run)
      .add("folder", &R::folder, kPath, kMayChange,
           "folder of the run; created, or continued when it holds checkpoints of the same configuration")
      .add("seed", &R::seed, kAny, kFixed, "seed of all noise: weights, order, augmentation, sampling")
      .add("device", &R::device, kAny, kMayChange, "what computes")
      .add("precision", &R::precision, kAny, kFixed, "arithmetic; bf16 is autocast and needs run.device=cuda")
      .add("skipped_limit", &R::skipped_limit, at_least(0), kFixed,
           "updates in a row that may be skipped because a gradient is not finite; one more ends the run with status 77")
      .add("threads", &R::threads, at_least(0), kMayChange, "compute threads a rank; 0: cores of the host divided by its ranks")
      .add("evaluate_every", &R::evaluate_every, at_least(0), kMayChange,
           "retrieval steps between evaluations on the validation split; 0: at the end of a stage only")
      .add("samples_every", &R::samples_every, at_least(0), kMayChange,
           "steps between pictures of generated sketches in RUN/samples; 0: none")
      .add("sketch_polarity", &R::sketch_polarity, kAny, kFixed, "rasters that the retrieval network and the discriminator see");
  using D = DataConfig;
  SectionRows(table, "data", &TrainingConfig::data)
      .add("labelled", &D::labelled, kPath, kMayChange, "store of pairs: photos with their sketches")
      .add("pool", &D::pool, kPath, kMayChange, "store of photos without sketches; empty: no joint stage")
      .add("strokes", &D::strokes, kPath, kMayChange, "store of strokes or pairs for the generator's first stage; empty: no such stage")
      .add("image_side", &D::image_side, between(32, 4096), kFixed, "pixels; photos and rasters are resized to side × side")
      .add("loader_threads", &D::loader_threads, between(1, 256), kMayChange, "decode threads a rank and stream")
      .add("queue_depth", &D::queue_depth, between(1, 1024), kMayChange, "batches ready ahead of the trainer")
      .add("cache_mebibytes", &D::cache_mebibytes, at_least(0), kMayChange,
           "MiB a rank for features of networks that do not change (teacher, frozen encoder)")
      .add("max_bad_fraction", &D::max_bad_fraction, kShare, kMayChange,
           "share of unreadable samples above which the run stops with status 65")
      .add("flip", &D::flip, kAny, kFixed, "mirror photo and sketch together, half of the time")
      .add("rotate_degrees", &D::rotate_degrees, between(0, 180), kFixed, "± degrees of rotation, photo and sketch separately")
      .add("scale", &D::scale, kBelowOne, kFixed, "± share of the size; 0.15: 85 % to 115 %")
      .add("shift", &D::shift, kBelowOne, kFixed, "± share of the side");
  using F = RetrievalConfig;
  SectionRows(table, "retrieval", &TrainingConfig::retrieval)
      .add("backbone", &F::backbone, kBackbones, kFixed, "network in front of attention and pooling")
      .add("weights", &F::weights, kPath, kMayChange, "file of the backbone's weights (.safetensors, torchvision's names); empty: random")
      .add("weights_scaling", &F::weights_scaling, kAny, kMayChange,
           "of the images that these weights take (docs/method.md); auto: as the file says, else by the backbone's habit")
      .add("initial", &F::initial, kPath, kMayChange,
           "network to start from: another run's folder, or retrieval.safetensors of a checkpoint; empty: none")
      .add("attention", &F::attention, kAny, kFixed, "soft attention over the map's places before pooling")
      .add("pooling", &F::pooling, kAny, kFixed, "of the map's places")
      .add("head", &F::head, at_least(0), kFixed, "width of the linear head; 0: none, the pooled vector is the embedding")
      .add("batch_norm", &F::batch_norm, kAny, kFixed,
           "statistics: of the loaded weights (frozen), of all ranks' batch (global), of each rank's own (local)")
      .add("objective", &F::objective, kAny, kFixed, "what is minimised over the global batch")
      .add("margin", &F::margin, kPositive, kFixed, "of the triplet objective")
      .add("temperature", &F::temperature, kPositive, kFixed, "of InfoNCE")
      .add("batch", &F::batch, at_least(2), kFixed, "pairs a step, over all ranks")
      .add("steps", &F::steps, at_least(0), kFixed, "supervised steps")
      .add("learning_rate", &F::learning_rate, kPositive, kFixed, "of Adam")
      .add("warmup_steps", &F::warmup_steps, at_least(0), kFixed, "over which the rate rises linearly from 0")
      .add("weight_decay", &F::weight_decay, kNotNegative, kFixed, "of Adam")
      .add("clip", &F::clip, kNotNegative, kFixed, "longest gradient (L2 norm); 0: any")
      .add("average_decay", &F::average_decay, kBelowOne, kFixed,
           "a step, of the average of weights that is evaluated beside the last ones; 0: none");
  using G = GeneratorConfig;
  SectionRows(table, "generator", &TrainingConfig::generator)
      .add("backbone", &G::backbone, kBackbones, kFixed, "network whose map the decoder attends to")
      .add("weights", &G::weights, kPath, kMayChange, "file of the backbone's weights (.safetensors, torchvision's names); empty: random")
      .add("weights_scaling", &G::weights_scaling, kAny, kMayChange, "as for retrieval")
      .add("initial", &G::initial, kPath, kMayChange,
           "network to start from: another run's folder, or generator.safetensors of a checkpoint; empty: none")
      .add("train_backbone", &G::train_backbone, kAny, kFixed, "false: the backbone stays as loaded, and its maps are computed once")
      .add("batch_norm", &G::batch_norm, kAny, kFixed, "as for retrieval")
      .add("pooling", &G::pooling, kAny, kFixed, "of the map, for the latent")
      .add("latent", &G::latent, at_least(1), kFixed, "width of the variational latent")
      .add("hidden", &G::hidden, at_least(1), kFixed, "width of the LSTM")
      .add("attention", &G::attention, at_least(1), kFixed, "channels of the attention")
      .add("mixtures", &G::mixtures, at_least(1), kFixed, "Gaussians in the output's mixture")
      .add("max_steps", &G::max_steps, between(2, 10000), kFixed, "longest drawing, in offsets")
      .add("simplify_epsilon", &G::simplify_epsilon, kNotNegative, kFixed, "pixels on the 256 canvas (Ramer-Douglas-Peucker)")
      .add(
          "simplify_distance", &G::simplify_distance, kAny, kFixed,
          "of a point from the segment between the points kept around it, or from the line through them (the data of the method's authors)")
      .add("batch", &G::batch, at_least(1), kFixed, "sketches a step, over all ranks")
      .add("stroke_steps", &G::stroke_steps, at_least(0), kFixed, "steps on data.strokes")
      .add("pair_steps", &G::pair_steps, at_least(0), kFixed, "steps on the labelled pairs")
      .add("learning_rate", &G::learning_rate, kPositive, kFixed, "of Adam, at the first step")
      .add("learning_rate_floor", &G::learning_rate_floor, kNotNegative, kFixed, "what the rate decays to")
      .add("learning_rate_decay", &G::learning_rate_decay, kFactor, kFixed, "factor a step")
      .add("kl_weight", &G::kl_weight, kNotNegative, kFixed, "of the Kullback-Leibler term, in the end")
      .add("kl_weight_start", &G::kl_weight_start, kNotNegative, kFixed, "of the same, at the first step")
      .add("kl_decay", &G::kl_decay, kFactor, kFixed, "factor a step, of the distance to kl_weight")
      .add("kl_floor", &G::kl_floor, kNotNegative, kFixed, "nats below which the term is not pushed")
      .add("clip", &G::clip, kNotNegative, kFixed, "longest gradient (L2 norm); 0: any");
  using C = DiscriminatorConfig;
  SectionRows(table, "discriminator", &TrainingConfig::discriminator)
      .add("width", &C::width, at_least(1), kFixed, "channels of the first layer")
      .add("layers", &C::layers, between(1, 8), kFixed, "strided layers")
      .add("image_side", &C::image_side, between(0, 4096), kFixed, "pixels that it sees; 0: data.image_side")
      .add("norm", &C::norm, kAny, kFixed, "normalisation of its layers")
      .add("batch_norm", &C::batch_norm, kAny, kFixed, "as for retrieval, where norm is batch")
      .add("score", &C::score, kAny, kFixed, "of the map of logits: mean of sigmoids, or sigmoid of the mean")
      .add("learning_rate", &C::learning_rate, kPositive, kFixed, "of Adam");
  using J = JointConfig;
  SectionRows(table, "joint", &TrainingConfig::joint)
      .add("steps", &J::steps, at_least(0), kMayChange, "retrieval steps of the joint stage; a finished run goes on when it is raised")
      .add("retrieval_steps", &J::retrieval_steps, at_least(1), kFixed, "k_r: steps of retrieval network and discriminator a cycle")
      .add("generator_steps", &J::generator_steps, at_least(0), kFixed, "k_g: steps of the generator a cycle")
      .add("discriminator_warmup", &J::discriminator_warmup, at_least(0), kFixed,
           "steps of the discriminator alone before its scores count")
      .add("labelled_batch", &J::labelled_batch, at_least(2), kFixed, "labelled pairs a retrieval step, over all ranks")
      .add("pool_batch", &J::pool_batch, at_least(2), kFixed, "photos of the pool a step, over all ranks")
      .add("generator_batch", &J::generator_batch, at_least(2), kFixed, "labelled pairs a generator step, over all ranks")
      .add("learning_rate", &J::learning_rate, kPositive, kFixed, "of the retrieval network in this stage")
      .add("generator_learning_rate", &J::generator_learning_rate, kPositive, kFixed, "of the generator in this stage")
      .add("pool", &J::pool, kNotNegative, kFixed, "coefficient of the objective on pseudo pairs; 0: off")
      .add("certainty", &J::certainty, kShare, kFixed,
           "c in the weight 1 − c + c·ω of a pseudo pair; 1: the discriminator's score, 0: blind")
      .add("distillation", &J::distillation, kNotNegative, kFixed, "coefficient of the distillation from the supervised teacher; 0: off")
      .add("distillation_form", &J::distillation_form, kAny, kFixed, "of the difference of relative distances")
      .add("vae", &J::vae, kNotNegative, kFixed, "coefficient of the generator's loss on labelled pairs; 0: off")
      .add("policy", &J::policy, kNotNegative, kFixed, "coefficient of the policy gradient; 0: off")
      .add("reward_triplet", &J::reward_triplet, kNotNegative, kFixed, "share of the retrieval reward; 0: off")
      .add("reward_discriminator", &J::reward_discriminator, kNotNegative, kFixed, "share of the discriminator's reward; 0: off")
      .add("policy_norm", &J::policy_norm, kAny, kFixed, "max: the sum over a drawing is divided by generator.max_steps")
      .add("baseline", &J::baseline, kAny, kFixed, "subtracted from the reward")
      .add("generator_scope", &J::generator_scope, kAny, kFixed, "what the generator's own loss trains in this stage")
      .add("placement", &J::placement, kAny, kFixed, "of generated sketches on the canvas")
      .add("temperature", &J::temperature, kNotNegative, kFixed, "of pseudo sketches; 0: greedy");
  using K = ClusterConfig;
  SectionRows(table, "cluster", &TrainingConfig::cluster)
      .add("backend", &K::backend, kAny, kMayChange, "carrier of gradients; auto: nccl where each rank has a GPU")
      .add("bucket_mebibytes", &K::bucket_mebibytes, kPositive, kFixed,
           "MiB of gradients sent together, at most; an eighth of a small network's")
      .add("transport", &K::transport, kAny, kFixed, "type that gradients travel in")
      .add("timeout_seconds", &K::timeout_seconds, kPositive, kMayChange, "seconds; a collective that takes longer counts as a lost rank");
  using S = CheckpointConfig;
  SectionRows(table, "checkpoint", &TrainingConfig::checkpoint)
      .add("every_seconds", &S::every_seconds, kNotNegative, kMayChange, "seconds between checkpoints; 0: not by time")
      .add("every_steps", &S::every_steps, at_least(0), kMayChange, "steps between checkpoints, counted over all stages; 0: by time only")
      .add("keep_last", &S::keep_last, at_least(1), kMayChange, "checkpoints that stay")
      .add("keep_every", &S::keep_every, at_least(0), kMayChange,
           "checkpoints at multiples of this step, a multiple of every_steps, stay for good; 0: none");
  using M = MonitoringConfig;
  SectionRows(table, "monitoring", &TrainingConfig::monitoring)
      .add("address", &M::address, Text{"IPv4 or IPv6 address", false}, kMayChange,
           "where each rank's endpoint listens; loopback unless set. IPv6 only where civetweb was built with it (Debian's is not)")
      .add("port", &M::port, between(-1, 65535), kMayChange,
           "base port, to which the local rank is added; 0: any free port; -1: no endpoint")
      .add("log_every", &M::log_every, at_least(1), kMayChange, "steps between lines of metrics.jsonl")
      .add("trace_steps", &M::trace_steps, Text{"0 | FIRST:LAST", false}, kMayChange,
           "steps, counted over all stages from 1 on, of which each rank writes a trace (RUN/log/trace-rank-N.json); 0: none")
      .add("tensorboard", &M::tensorboard, kAny, kMayChange, "also write TensorBoard's event files into RUN/tensorboard")
      .add("push_url", &M::push_url, Text{"http://HOST:PORT"}, kMayChange,
           "Pushgateway that gets rank 0's last state when the run ends; empty: none");
  return table;
}

}  // namespace

const std::vector<ConfigOption>& config_table() {
  static const auto table = make_table();
  return table;
}

std::string ConfigOption::environment_name() const {
  std::string result = "DUET_";
  for (const char letter : name)
    result += letter == '.' ? '_' : static_cast<char>(letter >= 'a' && letter <= 'z' ? letter - 'a' + 'A' : letter);
  return result;
}

}  // namespace duet
