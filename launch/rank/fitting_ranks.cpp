#include "launch/rank/fitting_ranks.h"

#include "base/checksum.h"
#include "base/log.h"
#include "base/process.h"
#include "cluster/ranks/rank_facts.h"
#include "datasets/store/store.h"
#include "launch/rank/versions.h"
#include "trainer/data/training_data.h"

namespace duet {
namespace {

// Hosts may differ in these: cores, addresses, and where stores were copied to (their content is compared instead).
bool may_differ(const std::string& option) {
  for (const char* name : {"run.threads", "monitoring.address", "monitoring.port", "data.labelled", "data.pool", "data.strokes"}) {
    if (option == name) return true;
  }
  return false;
}

// Not where it lies: hosts may keep it in different places.
std::string program_identity() {
  const std::filesystem::path self = kRunningProgram;
  return fmt::format("{} bytes, {}", std::filesystem::file_size(self), to_hex(checksum_of_file(self)));
}

std::string store_identity(const std::string& path, bool may_grow) {
  if (path.empty()) return "none";
  try {
    const auto store = Store::open(path);
    return may_grow ? "there" : identity_of(*store);  // between two ranks' looks somebody may append to it
  } catch (const Error& error) {
    return error.what();
  }
}

std::vector<Alike> alike_of(const ResolvedConfig& config) {
  std::vector<Alike> alike = {{Alike::Kind::program, "program", program_identity()}};
  const auto libraries = versions(false);
  for (const auto& [name, version] : libraries.items())
    alike.push_back({Alike::Kind::program, name, version.is_string() ? version.get<std::string>() : json_text(version)});
  for (const auto& option : config_table()) {
    if (!may_differ(option.name)) alike.push_back({Alike::Kind::option, option.name, option.get(config.values)});
  }
  const auto& data = config.values.data;
  alike.push_back({Alike::Kind::store, "content of data.labelled", store_identity(data.labelled, false)});
  alike.push_back({Alike::Kind::store, "content of data.pool", store_identity(data.pool, true)});
  alike.push_back({Alike::Kind::store, "content of data.strokes", store_identity(data.strokes, false)});
  return alike;
}

}  // namespace

SelectedDevice select_device_of_fitting_ranks(const ResolvedConfig& config, World& world) {
  SelectedDevice device;
  RankFacts facts{.rank = world.rank(),
                  .size = world.size(),
                  .local_size = world.local_size(),
                  .host = world.host(),
                  .step = slurm_step(),
                  .uses_gpu = config.values.run.device == DeviceKind::cuda,
                  .may_share_gpu = config.values.cluster.backend == GradientCarrier::mpi,
                  .alike = alike_of(config)};
  if (facts.uses_gpu) {
    try {
      device.backend = load_cuda_backend();
      device.index = device.backend->select(world.local_rank());
      device.name = device.backend->description();
      facts.gpu = device.backend->uuid();
    } catch (const Unavailable& error) {
      facts.gpu_error = error.what();
    }
  }
  std::vector<RankFacts> all;
  for (const auto& text : world.control().all_gather_strings(json_text(to_json(facts))))
    all.push_back(rank_facts_from_json(parse_json(text, "a rank's facts")));
  require_fitting_ranks(all);
  if (const auto remark = remark_on(all); world.rank() == 0 && !remark.empty()) warn("{}", remark);
  return device;
}

}  // namespace duet
