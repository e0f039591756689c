#pragma once
#include <cstdint>
#include <string>

#include "cluster/reducer/transport.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/simplify.h"
#include "trainer/choices.h"

namespace duet {

// What a training run is told, by section; launch/options/options.cpp binds every field to its option, help text and environment variable.
// Defaults are the paper's (docs/method.md), unless the comment says otherwise. What they choose among: trainer/choices.h.

struct RunConfig {
  std::string folder;  ///< runs/NAME; created, or continued when it holds checkpoints of the same configuration
  std::uint64_t seed = 1;
  DeviceKind device = DeviceKind::cpu;
  Precision precision = Precision::float32;
  int threads = 0;                    ///< compute threads a rank; 0: cores of the host divided by its ranks
  std::int64_t evaluate_every = 200;  ///< retrieval steps between evaluations on the validation split; 0: at the end of a stage only
  std::int64_t samples_every = 500;   ///< steps between pictures of generated sketches in RUN/samples; 0: none
  std::int64_t skipped_limit = 0;     ///< updates in a row that may be skipped because a gradient is not finite; one more ends the run
  Polarity sketch_polarity = Polarity::white_on_black;  ///< of rasters for retrieval and discriminator
};

struct DataConfig {
  std::string labelled;            ///< pairs store
  std::string pool;                ///< photo store without sketches; empty: no joint stage
  std::string strokes;             ///< strokes or pairs store for the generator's first stage; empty: skip that stage
  int image_side = 256;            ///< photos and rasters are resized to side × side
  int loader_threads = 1;          ///< decode threads a rank and stream
  int queue_depth = 4;             ///< batches ready ahead of the trainer
  int cache_mebibytes = 1024;      ///< a rank, for features of networks that do not change (teacher, frozen encoder)
  double max_bad_fraction = 0.01;  ///< share of unreadable samples above which the run stops with status 65
  bool flip = true;                ///< mirror photo and sketch together, half of the time
  double rotate_degrees = 0;       ///< ± range of the affine augmentation, photo and sketch separately
  double scale = 0;                ///< ± share, 0.15 = 85 % … 115 %
  double shift = 0;                ///< ± share of the side
};

struct RetrievalConfig {
  std::string backbone = "inception_v3";                   ///< a name of trainer/models/backbones
  std::string weights;                                     ///< .safetensors with torchvision's keys; empty: random
  WeightsScaling weights_scaling = WeightsScaling::auto_;  ///< what those weights take
  std::string initial;                                     ///< retrieval.safetensors of another run: start from that network
  bool attention = true;
  Pooling pooling = Pooling::average;
  int head = 64;  ///< width of the linear head; 0: none, the pooled vector is the embedding
  BatchNormMode batch_norm = BatchNormMode::global;
  Objective objective = Objective::triplet;
  double margin = 0.3;
  double temperature = 0.05;
  std::int64_t batch = 16;     ///< global
  std::int64_t steps = 10000;  ///< supervised steps
  double learning_rate = 1e-4;
  std::int64_t warmup_steps = 0;
  double weight_decay = 0;
  double clip = 0;              ///< gradient norm; 0: none
  double average_decay = 0.98;  ///< of the average of weights, a step; 0: none
};

struct GeneratorConfig {
  std::string backbone = "vgg16";
  std::string weights;
  WeightsScaling weights_scaling = WeightsScaling::auto_;  ///< as for retrieval
  std::string initial;                                     ///< generator.safetensors of another run: start from that network
  bool train_backbone = true;
  BatchNormMode batch_norm = BatchNormMode::frozen;
  Pooling pooling = Pooling::average;
  int latent = 128;
  int hidden = 512;
  int attention = 256;
  int mixtures = 20;
  int max_steps = 100;                       ///< longest drawing, in offsets
  double simplify_epsilon = 3;               ///< Ramer-Douglas-Peucker, pixels on the 256 canvas
  Chord simplify_distance = Chord::segment;  ///< … from what of the points kept
  std::int64_t batch = 64;                   ///< global
  std::int64_t stroke_steps = 0;             ///< steps on data.strokes
  std::int64_t pair_steps = 20000;           ///< steps on labelled pairs
  double learning_rate = 1e-4;
  double learning_rate_floor = 1e-5;
  double learning_rate_decay = 0.9999;  ///< a step
  double kl_weight = 1;
  double kl_weight_start = 0.01;
  double kl_decay = 0.99995;  ///< a step, of the distance to kl_weight
  double kl_floor = 0.2;
  double clip = 1;
};

struct DiscriminatorConfig {
  int width = 64;
  int layers = 3;
  int image_side = 0;  ///< 0: data.image_side
  DiscriminatorNorm norm = DiscriminatorNorm::batch;
  BatchNormMode batch_norm = BatchNormMode::global;  ///< for norm = batch
  CertaintyScore score = CertaintyScore::mean_sigmoid;
  double learning_rate = 1e-4;
};

struct JointConfig {
  std::int64_t steps = 3000;                ///< retrieval steps of the joint stage
  std::int64_t retrieval_steps = 5;         ///< k_r, a cycle
  std::int64_t generator_steps = 5;         ///< k_g, a cycle
  std::int64_t discriminator_warmup = 200;  ///< steps of D alone before its scores count
  std::int64_t labelled_batch = 16;         ///< global, in each retrieval step
  std::int64_t pool_batch = 16;             ///< global, in each retrieval step and each generator step
  std::int64_t generator_batch = 16;        ///< labelled pairs in each generator step, global
  double learning_rate = 1e-4;              ///< of the retrieval network in this stage
  double generator_learning_rate = 1e-4;
  // Coefficients; zero switches a term off, and its cost with it.
  double pool = 1;       ///< triplet or InfoNCE on pseudo pairs
  double certainty = 1;  ///< 1: pseudo pairs weighted by D; 0: blind, weight 1 (between: 1 − c + c·ω)
  double distillation = 0.1;
  DistillationForm distillation_form = DistillationForm::absolute;
  double vae = 1;
  double policy = 10;               ///< λ_G
  double reward_triplet = 1;        ///< λ_r1
  double reward_discriminator = 1;  ///< λ_r2
  PolicyNorm policy_norm = PolicyNorm::max;
  Baseline baseline = Baseline::mean;
  GeneratorScope generator_scope = GeneratorScope::last_layer;  ///< what the VAE term trains
  Placement placement = Placement::centred;                     ///< generated sketches on the canvas
  double temperature = 0;                                       ///< of pseudo sketches for F; 0: greedy
};

struct ClusterConfig {
  GradientCarrier backend = GradientCarrier::auto_;
  double bucket_mebibytes = 25;
  Transport transport = Transport::native;
  double timeout_seconds = 600;  ///< a collective that takes longer counts as a lost rank
};

struct CheckpointConfig {
  double every_seconds = 600;
  std::int64_t every_steps = 0;  ///< also every so many steps, counted over all stages; 0: by time only
  int keep_last = 2;
  std::int64_t keep_every = 0;  ///< never delete checkpoints at multiples of this step, a multiple of every_steps; 0: none
};

struct MonitoringConfig {
  std::string address = "127.0.0.1";
  int port = 0;                   ///< base port, plus the local rank; 0: any free port; -1: no endpoint
  std::int64_t log_every = 10;    ///< steps between lines of metrics.jsonl
  std::string trace_steps = "0";  ///< FIRST:LAST, counted over all stages from 1 on: steps that are traced; 0: none
  bool tensorboard = false;       ///< also write event files into RUN/tensorboard
  std::string push_url;           ///< Pushgateway that gets rank 0's last state; empty: none
};

struct TrainingConfig {
  RunConfig run;
  DataConfig data;
  RetrievalConfig retrieval;
  GeneratorConfig generator;
  DiscriminatorConfig discriminator;
  JointConfig joint;
  ClusterConfig cluster;
  CheckpointConfig checkpoint;
  MonitoringConfig monitoring;
};

}  // namespace duet
