#include "launch/rank/train_rank.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "cluster/ranks/device.h"
#include "cluster/ranks/rank_facts.h"
#include "cluster/ranks/world.h"
#include "cluster/run/allocation.h"
#include "cluster/run/last_words.h"
#include "cluster/run/run_folder.h"
#include "cluster/run/run_lock.h"
#include "cluster/run/started.h"
#include "cluster/run/stop_signal.h"
#include "launch/cli/command.h"
#include "launch/rank/fitting_ranks.h"
#include "launch/rank/own_cores.h"
#include "launch/rank/versions.h"
#include "monitoring/metrics/discovery.h"
#include "monitoring/metrics/http_server.h"
#include "trainer/data/training_data.h"
#include "trainer/kernels/memory.h"
#include "trainer/loop/run_report.h"
#include "trainer/loop/trainer.h"
#include "trainer/schedule/schedule.h"

namespace duet {
namespace {

Json fingerprint_json(const TrainingConfig& config) {
  Json json = Json::object();
  for (const auto& [name, text] : fingerprint(config)) json[name] = text;
  return json;
}

// Number formats only: which GPU it is, its backend says.
Device host_device(const TrainingConfig& config) {
  Device device;
  if (config.run.precision == Precision::float64) device.dtype = at::kDouble;
  device.autocast_bf16 = config.run.precision == Precision::bf16;
  return device;
}

void describe_run(const ResolvedConfig& config, World& world, const std::string& device) {
  const auto hosts = world.control().all_gather_strings(world.host() + " " + device);
  if (world.rank() != 0) return;
  const RunFolder run(config.values.run.folder);
  write_file_atomically(run.config(), print_config(config));
  Json data = Json::object();
  for (const auto& [name, path] :
       {std::pair{"labelled", config.values.data.labelled}, {"pool", config.values.data.pool}, {"strokes", config.values.data.strokes}}) {
    if (!path.empty()) data[name] = Json{{"path", path}, {"state", identity_of(*Store::open(path))}};
  }
  const auto slurm = allocation();
  const Json environment{{"started", utc_now()},
                         {"job_id", slurm ? Json(slurm->queue_name) : Json()},
                         {"seed", config.values.run.seed},
                         {"ranks", world.size()},
                         {"hosts", hosts},
                         {"threads", at::get_num_threads()},
                         {"data", data},
                         {"versions", versions(config.values.run.device == DeviceKind::cuda)}};
  write_file_atomically(run.environment(), json_text(environment, 2) + "\n");
}

int train(const ResolvedConfig& resolved, World& world) {
  const auto& config = resolved.values;
  auto selected = select_device_of_fitting_ranks(resolved, world);
  check_batches(config, world.size());
  const RunFolder run(config.run.folder);
  // Rank 0 owns the run; the others must not start when it does not.
  std::unique_ptr<RunLock> lock;
  std::string refused;
  if (world.rank() == 0) {
    try {
      lock = std::make_unique<RunLock>(run.path());
    } catch (const Error& error) {
      refused = error.what();
    }
  }
  if (lock) remove_scrape_targets(run.scrape_targets());  // of a start that was killed
  world.control().broadcast_string(refused, 0);
  if (!refused.empty()) {
    withdraw_last_words();
    world.control().barrier();  // a rank that is ended before it has would write that it left because of a peer
    throw CannotCreate("{}", refused);
  }

  keep_freed_memory();
  use_own_cores(world, config.run.threads);
  auto device = host_device(config);
  std::unique_ptr<Communicator> device_gradients;
  if (selected.backend) {
    device.device = at::Device(at::kCUDA, static_cast<at::DeviceIndex>(selected.index));
    if (config.cluster.backend != GradientCarrier::mpi && world.size() > 1) {
      device_gradients = selected.backend->make_communicator(world.control(), "gradients", config.cluster.timeout_seconds);
    }
  }
  const Ranks ranks{world.control(), device_gradients ? *device_gradients : world.gradients(), world.statistics(), world.data()};
  TrainerOptions options;
  options.local_rank = world.local_rank();
  if (selected.backend) {
    options.trace_mirror = &selected.backend->profiler_ranges();
    options.gpu_memory_bytes = [&] {
      const auto memory = selected.backend->memory();
      return memory.total_bytes - memory.free_bytes;
    };
  }
  options.configuration = fingerprint_json(config);
  if (lock) options.may_publish = [&] { return lock->still_mine(); };
  Trainer trainer(config, ranks, device, std::move(options));
  describe_run(resolved, world, selected.name);  // not before: a refused start must not hide how the run was begun
  const auto outcome = trainer.run();
  if (!outcome.complete) {
    const auto message =
        fmt::format("stopped ({}); state saved in {}. The same command continues.", outcome.stop_reason, config.run.folder);
    if (world.rank() == 0) say("{}", message);
    write_last_words(ExitStatus::interrupted, message);
    return static_cast<int>(ExitStatus::interrupted);
  }
  const bool reported = trainer.write_report();
  if (world.rank() == 0)
    say("finished; {} {}", reported ? "the report is" : "without a report:", (reported ? run.report() : run.results()).string());
  world.control().barrier();
  write_last_words(ExitStatus::done, "");
  return 0;
}

}  // namespace

void check_batches(const TrainingConfig& config, int ranks) {
  const Schedule schedule(config);
  auto check = [&](const char* option, std::int64_t batch, bool used) {
    if (used && batch % ranks != 0) {
      throw UsageError(
          "{} = {} cannot be shared equally by {} ranks. The global batch is the contract: choose a multiple of {}, or other ranks.",
          option, batch, ranks, ranks);
    }
  };
  const auto& joint = config.joint;
  check("retrieval.batch", config.retrieval.batch, config.retrieval.steps > 0);
  check("generator.batch", config.generator.batch, config.generator.stroke_steps + config.generator.pair_steps > 0);
  check("joint.labelled_batch", joint.labelled_batch, joint.steps > 0);
  check("joint.pool_batch", joint.pool_batch, schedule.needs_pool());
  check("joint.generator_batch", joint.generator_batch, schedule.trains_joint_generator());
}

int train_rank(const ResolvedConfig& config) {
  begin_last_words(config.values.run.folder, launcher_rank());
  install_stop_signals();
  std::optional<World> joined;
  try {
    joined.emplace(WorldOptions{.timeout_seconds = config.values.cluster.timeout_seconds});
  } catch (const UsageError& error) {
    // srun without PMIx: each task has found out by itself.
    if (is_first_task()) throw;
    return static_cast<int>(error.status());
  } catch (const Error& error) {
    if (!write_last_words(error.status(), error.what())) throw;  // else the supervisor says it
    return static_cast<int>(error.status());
  }
  World& world = *joined;
  set_log_rank(world.rank(), world.size());
  try {
    return train(config, world);
  } catch (const RanksDiffer& error) {
    // All ranks know and leave together; one says it for all.
    write_last_words(error.status(), error.what());
    if (!started_by_launcher()) throw;
    if (is_first_task()) log_line(error.what());
    return static_cast<int>(error.status());
  } catch (const Error& error) {
    const bool said_by_supervisor = write_last_words(error.status(), error.what());
    if (world.size() == 1) throw;
    if (!said_by_supervisor && (world.rank() == 0 || error.status() != ExitStatus::rank_lost)) log_line(error.what());
    world.abort(error);
  } catch (const std::exception& error) {
    const auto said = told(error);
    const bool said_by_supervisor = write_last_words(said.status(), said.what());
    if (world.size() == 1) throw said;
    if (!said_by_supervisor) log_line(said.what());
    world.abort(said);
  }
}

namespace {

// The plan's line about the endpoints. A port that is taken stops no training, so it is no error here either; start() warns of it.
std::string endpoints_line(const MonitoringConfig& monitoring, int ranks) {
  if (monitoring.port < 0) return "  endpoints          none (monitoring.port = -1)\n";
  int listening = 0;
  for (int local_rank = 0; local_rank < ranks; ++local_rank) {
    if (HttpServer::start(monitoring.address, monitoring.port, local_rank, {}) != nullptr) ++listening;
  }
  const auto ports = monitoring.port == 0 ? "any free port" : fmt::format("port {} and up", monitoring.port);
  return fmt::format("  endpoints          {} of {} can listen on {}, {}\n", listening, ranks, monitoring.address, ports);
}

}  // namespace

std::string training_plan(const ResolvedConfig& resolved, int ranks, PlannedFor place) {
  const auto& config = resolved.values;
  check_batches(config, ranks);
  if (config.run.device == DeviceKind::cuda) cuda_plugin();
  const auto data = open_data(config);
  const Schedule schedule(config);
  const Networks networks(config, nullptr, host_device(config));
  std::string plan = fmt::format("Plan of {} on {} rank{}, global batches shared by all\n",
                                 config.run.folder.empty() ? "a run" : config.run.folder, ranks, ranks == 1 ? "" : "s");
  auto view_line = [&](const char* name, const std::optional<StoreView>& view) {
    if (!view) return;
    plan += fmt::format("  {:<18} {} photos, {} sketches (generation {} of {})\n", name, view->photo_count(), view->sketch_count(),
                        view->generation(), view->store().path().string());
  };
  plan += "data\n";
  view_line("train", data.training.labelled);
  view_line("validation", data.validation);
  view_line("test", data.test);
  view_line("strokes", data.training.strokes);
  view_line("pool", data.training.pool);
  if (data.look_alikes > 0) plan += fmt::format("  {} pool photos look like a held-out photo and are left out\n", data.look_alikes);
  plan += "stages\n";
  auto stage_line = [&](const char* name, std::int64_t steps, std::int64_t batch, std::int64_t records) {
    if (steps == 0) return;
    plan += fmt::format("  {:<18} {} steps of {} = {:.1f} passes over {} samples\n", name, steps, batch,
                        static_cast<double>(steps * batch) / static_cast<double>(std::max<std::int64_t>(1, records)), records);
  };
  const auto labelled = data.training.labelled->sketch_count();
  if (data.training.strokes)
    stage_line("strokes", config.generator.stroke_steps, config.generator.batch, data.training.strokes->sketch_count());
  stage_line("pairs", config.generator.pair_steps, config.generator.batch, labelled);
  stage_line("retrieval", config.retrieval.steps, config.retrieval.batch, labelled);
  stage_line("joint, labelled", config.joint.steps, config.joint.labelled_batch, labelled);
  if (data.training.pool && config.joint.pool > 0)
    stage_line("joint, pool", config.joint.steps, config.joint.pool_batch, data.training.pool->photo_count());
  plan += fmt::format("  all stages         {} steps, generator steps and warm-up of the joint stage included\n", schedule.total_steps());
  plan += fmt::format(
      "  learning rates     retrieval {} (warm-up {} steps), joint {}, generator {}: for these global batches; scale them linearly when "
      "you raise a batch, and warm up\n",
      config.retrieval.learning_rate, config.retrieval.warmup_steps, config.joint.learning_rate, config.generator.learning_rate);
  plan += "memory and disk\n";
  std::int64_t weights = 0;
  auto network_line = [&](const char* name, const Module* network) {
    if (network == nullptr) return;
    std::int64_t count = 0;
    for (const auto& [parameter, tensor] : network->state()) count += tensor.numel();
    weights += count;
    plan += fmt::format("  {:<18} {:.2f} million weights\n", name, static_cast<double>(count) / 1e6);
  };
  network_line("retrieval", networks.retrieval.get());
  network_line("generator", networks.generator.get());
  network_line("discriminator", networks.discriminator.get());
  const auto bytes = static_cast<double>(weights) * (config.run.precision == Precision::float64 ? 8 : 4);
  plan += fmt::format(
      "  a checkpoint is about {:.0f} MB; {} are kept. Weights, gradients and moments take about {:.0f} MB a rank, the feature cache at "
      "most {} MiB, activations come on top\n",
      bytes * 4 / 1e6, config.checkpoint.keep_last + 1, bytes * 5 / 1e6, config.data.cache_mebibytes);
  if (!config.run.folder.empty()) {
    if (const auto found = find_checkpoint(RunFolder(config.run.folder).checkpoints().path()); found.checkpoint) {
      found.checkpoint->check_configuration(fingerprint_json(config));
      plan += fmt::format("  continues from {}\n", found.checkpoint->folder().string());
    }
    auto folder = std::filesystem::absolute(config.run.folder);
    while (!std::filesystem::exists(folder)) folder = folder.parent_path();
    const auto free = static_cast<double>(std::filesystem::space(folder).available);
    plan += fmt::format("  free on {}: {:.1f} GB\n", folder.string(), free / 1e9);
    if (free < bytes * 4 * (config.checkpoint.keep_last + 2)) {
      throw CannotWrite(
          "{}: {:.1f} GB are free, checkpoints will need {:.1f} GB. Choose another run.folder or a smaller checkpoint.keep_last.",
          folder.string(), free / 1e9, bytes * 4 * (config.checkpoint.keep_last + 2) / 1e9);
    }
  }
  if (place == PlannedFor::this_host) plan += "monitoring\n" + endpoints_line(config.monitoring, ranks);
  return plan;
}

}  // namespace duet
