#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/text.h"
#include "base/torch.h"
#include "cluster/run/run_folder.h"
#include "launch/commands/commands.h"
#include "trainer/checkpoint/checkpoint_folder.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

Json describe_tensor(const NamedTensor& entry) {
  const auto values = entry.tensor.to(at::kDouble);
  Json json;
  json["name"] = entry.name;
  json["shape"] = std::vector<std::int64_t>(entry.tensor.sizes().begin(), entry.tensor.sizes().end());
  json["type"] = c10::toString(entry.tensor.scalar_type());
  json["norm"] = values.norm().item<double>();
  json["finite"] = at::isfinite(values).all().item<bool>();
  return json;
}

Json describe_file(const fs::path& file) {
  const SafetensorsFile tensors(file);
  Json json;
  json["file"] = file.filename().string();
  json["bytes"] = fs::file_size(file);
  json["tensors"] = Json::array();
  std::int64_t values = 0;
  bool finite = true;
  for (const auto& entry : tensors.entries()) {
    if (entry.dtype == at::ScalarType::Undefined) {
      json["tensors"].push_back(
          {{"name", entry.name}, {"shape", entry.shape}, {"type", entry.type}, {"norm", nullptr}, {"finite", nullptr}});
      continue;
    }
    const NamedTensor tensor{entry.name, tensors.read(entry.name)};
    json["tensors"].push_back(describe_tensor(tensor));
    values += tensor.tensor.numel();
    finite = finite && json["tensors"].back()["finite"].get<bool>();
  }
  json["values"] = values;
  json["finite"] = finite;
  return json;
}

std::vector<fs::path> tensor_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == CheckpointFile::kTensors) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

Json describe_checkpoint(const Checkpoint& checkpoint, const std::vector<std::string>& passed_over) {
  Json json;
  json["checkpoint"] = checkpoint.folder().string();
  json["verified"] = true;  // Checkpoint refuses to be opened otherwise
  json["passed_over"] = passed_over;
  json["step"] = checkpoint.step();
  json["score"] = checkpoint.score() ? Json(*checkpoint.score()) : Json();
  json["progress"] = checkpoint.progress();
  json["configuration"] = checkpoint.configuration();
  json["files"] = Json::array();
  for (const auto& file : tensor_files(checkpoint.folder())) {
    const auto name = file.filename().string();
    if (checkpoint.has(name)) json["files"].push_back(describe_file(file));
  }
  return json;
}

// A run's folder, its checkpoints/, one checkpoint, or one file of tensors.
Json describe(const fs::path& path) {
  if (!fs::exists(path)) throw InputMissing("{}: there is no such file or folder.", path.string());
  if (fs::is_regular_file(path)) {
    Json json;
    json["files"] = Json::array({describe_file(path)});
    return json;
  }
  if (fs::exists(path / CheckpointFile::kManifest)) return describe_checkpoint(Checkpoint::open(path), {});
  const auto checkpoints = RunFolder(path).checkpoints().path();
  const auto found = find_checkpoint(fs::is_directory(checkpoints) ? checkpoints : path);
  if (!found.checkpoint) throw InputMissing("{}: holds no checkpoint, and is none itself.", path.string());
  return describe_checkpoint(*found.checkpoint, found.passed_over);
}

void print_table(const Json& found, bool with_tensors) {
  if (found.contains("checkpoint")) {
    for (const auto& reason : found["passed_over"]) print("passed over: {}\n", reason.get<std::string>());
    print("checkpoint  {}\n", found["checkpoint"].get<std::string>());
    print("verified    sizes and checksums agree with manifest.json\n");
    print("step        {}\n", found["step"].get<std::int64_t>());
    print("score       {}\n",
          found["score"].is_null() ? "not evaluated at this step" : fmt::format("{:.2f}", found["score"].get<double>()));
    for (const auto& [name, value] : found["progress"].items()) {
      if (value.is_primitive()) print("{:<11} {}\n", name, value.is_string() ? value.get<std::string>() : json_text(value));
    }
    print("\n");
  }
  for (const auto& file : found["files"]) {
    print("{}: {} tensors, {} values, {} bytes{}\n", file["file"].get<std::string>(), file["tensors"].size(),
          file["values"].get<std::int64_t>(), file["bytes"].get<std::uint64_t>(), file["finite"].get<bool>() ? "" : ", NOT FINITE");
    if (!with_tensors) continue;
    for (const auto& tensor : file["tensors"]) {
      const auto shape = tensor["shape"].get<std::vector<std::int64_t>>();
      print_text(fmt::format("  {:<56} {:<9} [{}]  ", printable(tensor["name"].get<std::string>()), tensor["type"].get<std::string>(),
                             fmt::join(shape, ", ")));
      if (tensor["norm"].is_null()) {
        print("of a type that Duet does not read\n");
      } else {
        print("norm {:.6g}{}\n", tensor["norm"].get<double>(), tensor["finite"].get<bool>() ? "" : "  NOT FINITE");
      }
    }
  }
}

int run(std::span<const std::string> args) {
  if (!args.empty() && args.front() == "trace") return inspect_trace(args.subspan(1));
  CommandLine line{
      .command = "inspect",
      .description = "Verifies a checkpoint and says what it holds: progress, files, and each tensor's shape, type and norm.",
      .positionals = {{"PATH", "a run's folder, one of its checkpoints, or a .safetensors file"}},
      .examples = {"duet inspect runs/chairs", "duet inspect runs/chairs/checkpoints/step-00000240 --json",
                   "duet inspect mobilenet_v2.safetensors", "duet inspect trace runs/chairs"},
      .notes = "`duet inspect trace RUN` merges and sums up the traces of a run; see its --help. A folder of that name is ./trace."};
  line.options.add_options()("json", boost::program_options::bool_switch(), "print one JSON object")(
      "brief", boost::program_options::bool_switch(), "files only, without their tensors");
  const auto options = parse(line, args);
  const auto found = describe(options.argument("PATH"));
  if (options.is_on("json")) {
    print_json(found);
  } else {
    print_table(found, !options.is_on("brief"));
  }
  return 0;
}

}  // namespace

Command inspect_command() {
  return {.name = "inspect", .summary = "verify a checkpoint and list its tensors; sum up a run's trace", .run = run, .group = "Results"};
}

}  // namespace duet
