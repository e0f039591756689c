#include "launch/commands/commands.h"

#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "datasets/image/image.h"
#include "datasets/sketch/svg.h"
#include "datasets/store/store.h"
#include "datasets/store/verify.h"
#include "launch/cli/output_file.h"
#include "monitoring/log/progress.h"

namespace duet {

namespace {

namespace po = boost::program_options;
namespace fs = std::filesystem;

std::string in_mebibytes(std::int64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

int run_info(std::span<const std::string> args) {
  CommandLine line{.command = "store info",
                   .description = "Says what a store holds: kind, splits, counts, sizes and where it came from.",
                   .positionals = {{"STORE", "folder of the store"}}};
  line.options.add_options()("json", po::bool_switch(), "print JSON");
  line.examples = {"duet store info chairs.store", "duet store info pool.store --json"};
  const auto options = parse(line, args);
  const auto store = Store::open(options.argument("STORE"));
  const auto& manifest = store->manifest();
  const auto total = manifest.total();
  const auto scale = manifest.offsets.scale();
  if (options.is_on("json")) {
    Json splits = Json::object();
    for (const auto& [name, counts] : manifest.splits()) splits[name] = {{"photos", counts.photos}, {"sketches", counts.sketches}};
    print_json(Json{{"store", options.argument("STORE")},
                    {"kind", to_string(manifest.kind)},
                    {"generation", manifest.generation},
                    {"photos", total.photos},
                    {"sketches", total.sketches},
                    {"splits", splits},
                    {"shards", manifest.shards.size()},
                    {"bytes", manifest.bytes()},
                    {"photo_format", to_string(manifest.photo_format)},
                    {"photo_side", manifest.photo_side},
                    {"offset_scale", scale ? Json(*scale) : Json()},
                    {"provenance", manifest.provenance}});
    return 0;
  }
  std::string text = fmt::format("{}: {}, generation {}\n", options.argument("STORE"), to_string(manifest.kind), manifest.generation);
  for (const auto& [name, counts] : manifest.splits())
    text += fmt::format("  {:<12} {:>10} photos {:>10} sketches\n", name, counts.photos, counts.sketches);
  text += fmt::format("  {:<12} {:>10} photos {:>10} sketches\n", "all", total.photos, total.sketches);
  text += fmt::format("  {} in {} shards\n", in_mebibytes(manifest.bytes()), manifest.shards.size());
  if (total.photos > 0)
    text += fmt::format("  photos as {}, longest side {}\n", to_string(manifest.photo_format),
                        manifest.photo_side > 0 ? fmt::format("at most {} px", manifest.photo_side) : "as the sources have it");
  if (scale) text += fmt::format("  offset scale {:.3f} px (standard deviation over the training sketches)\n", *scale);
  for (const auto& entry : manifest.provenance)
    text += fmt::format("  from: {}\n", entry.is_object() && entry.contains("source") ? json_text(entry["source"]) : json_text(entry));
  print_text(text);
  return 0;
}

int run_verify(std::span<const std::string> args) {
  CommandLine line{.command = "store verify",
                   .description =
                       "Reads every byte of a store and checks it against the checksums; lists every bad photo and sketch. Ends "
                       "with status 65 when there is one.",
                   .positionals = {{"STORE", "folder of the store"}}};
  line.options.add_options()("json", po::bool_switch(), "print JSON");
  line.examples = {"duet store verify chairs.store"};
  const auto options = parse(line, args);
  std::unique_ptr<Progress> progress;
  const auto report = verify_store(options.argument("STORE"), [&](std::int64_t done, std::int64_t total) {
    if (!progress) progress = std::make_unique<Progress>("store verify", "MiB", total >> 20);
    progress->update(done >> 20);
  });
  progress.reset();
  if (options.is_on("json")) {
    Json samples = Json::array();
    for (const auto& sample : report.bad_samples)
      samples.push_back(
          {{"kind", sample.kind == BadSample::Kind::photo ? "photo" : "sketch"}, {"index", sample.index}, {"reason", sample.reason}});
    print_json(Json{{"store", options.argument("STORE")},
                    {"generation", report.generation},
                    {"photos", report.photos},
                    {"sketches", report.sketches},
                    {"bytes", report.bytes},
                    {"good", report.good()},
                    {"bad_shards", report.bad_shards},
                    {"bad_sample_count", report.bad_sample_count},
                    {"bad_samples", samples}});
  } else {
    std::string text;
    for (const auto& shard : report.bad_shards) text += shard + "\n";
    for (const auto& sample : report.bad_samples) text += sample.reason + "\n";
    text += fmt::format("{}: {} photos and {} sketches read ({}): {}\n", options.argument("STORE"), report.photos, report.sketches,
                        in_mebibytes(report.bytes),
                        report.good() ? std::string("all as they were written")
                                      : fmt::format("{} bad samples, {} bad shards", report.bad_sample_count, report.bad_shards.size()));
    print_text(text);
  }
  return static_cast<int>(report.good() ? ExitStatus::done : ExitStatus::bad_data);
}

std::string_view last_part(std::string_view key) { return key.substr(key.rfind('/') + 1); }

/// Whether `id` is what somebody may mean by `wanted`: the last part of either, extension or not.
bool is_meant(const std::string& id, const std::string& wanted) {
  const auto last = last_part(id);
  return last == wanted || id == last_part(wanted) || last.substr(0, last.rfind('.')) == wanted;
}

/// The sample of exactly that id, or the only one that may be meant. Throws InputMissing or, where several may be meant, UsageError.
std::int64_t find_sample(const std::string& store, const char* kind, const std::string& wanted, std::optional<std::int64_t> exact,
                         std::int64_t count, const std::function<std::string(std::int64_t)>& id_of) {
  if (exact) return *exact;
  std::vector<std::int64_t> found;
  for (std::int64_t i = 0; i < count && found.size() < 3; ++i)
    if (is_meant(id_of(i), wanted)) found.push_back(i);
  if (found.empty()) {
    const auto example = count > 0 ? fmt::format(", the first of which is '{}'", printable(id_of(0))) : "";
    throw InputMissing("{}: no {} '{}' among its {}{}.", store, kind, wanted, count, example);
  }
  if (found.size() > 1)
    throw UsageError("{}: several {}s may be meant by '{}', such as '{}' and '{}'. Name one in full.", store, kind, wanted,
                     printable(id_of(found[0])), printable(id_of(found[1])));
  return found[0];
}

std::string text_of(std::span<const std::byte> bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

/// The file's content, and how much of it is the same in all files that this command writes.
struct Shown {
  std::string content;
  std::size_t mark;
};

Shown show_sketch(const StoreView& view, const std::string& store, const std::string& id, const fs::path& out) {
  const auto index =
      find_sample(store, "sketch", id, view.find_sketch(id), view.sketch_count(), [&](std::int64_t i) { return view.read_sketch(i).id; });
  const auto sketch = view.read_sketch(index);
  if (out.extension() == ".png") return {text_of(to_png(sketch.points)), kPngMark};
  if (out.extension() == ".svg") return {to_svg(sketch.points), svg_head({}).size()};
  throw UsageError("--out {}: a sketch can be written as .png or .svg.", out.string());
}

Shown show_photo(const StoreView& view, const std::string& store, const std::string& id, const fs::path& out) {
  const auto index =
      find_sample(store, "photo", id, view.find_photo(id), view.photo_count(), [&](std::int64_t i) { return view.photo_info(i).id; });
  std::vector<std::byte> bytes;
  const auto info = view.read_photo(index, bytes);
  const bool raw = view.store().manifest().photo_format == PhotoFormat::raw;
  if (out.extension() == ".jpg" && !raw) return {text_of(bytes), bytes.size()};
  if (out.extension() != ".png") throw UsageError("--out {}: a photo can be written as .png{}.", out.string(), raw ? "" : " or .jpg");
  Image image;
  if (raw) {
    image = Image(info.width, info.height, 3);
    DUET_CHECK(bytes.size() == image.pixels.size(), "{} bytes of a photo of {} x {}", bytes.size(), info.width, info.height);
    for (std::size_t i = 0; i < bytes.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(bytes[i]);
  } else {
    image = decode_image(bytes, {}, fmt::format("{}: photo '{}'", store, printable(info.id)));
  }
  return {text_of(encode_png(image)), kPngMark};
}

int run_show(std::span<const std::string> args) {
  CommandLine line{.command = "store show",
                   .description =
                       "Writes one photo or one sketch of a store to a file: a sketch as PNG (256x256, one channel, white on "
                       "black) or SVG, a photo as PNG, or as JPEG the way it is stored. ID is the last part of the source's key.",
                   .positionals = {{"STORE", "folder of the store"}}};
  line.options.add_options()("sketch", po::value<std::string>()->value_name("ID"), "the sketch to write")(
      "photo", po::value<std::string>()->value_name("ID"), "the photo to write")(
      "out", po::value<std::string>()->value_name("FILE"),
      "file to write, .png, .svg or .jpg; one that this command wrote before is replaced");
  line.examples = {"duet store show chairs.store --sketch 00140128_v1_1 --out sketch.svg",
                   "duet store show chairs.store --photo 00140128_v1 --out photo.png"};
  const auto options = parse(line, args);
  if (options.given("sketch") == options.given("photo")) throw UsageError("name what to show: either --sketch ID or --photo ID.");
  const auto store = options.argument("STORE");
  const fs::path out = options.get<std::string>("out");
  const auto view = Store::open(store)->view("all");
  const auto shown = options.given("sketch") ? show_sketch(view, store, options.get<std::string>("sketch"), out)
                                             : show_photo(view, store, options.get<std::string>("photo"), out);
  refuse_to_overwrite(out, {}, std::string_view(shown.content).substr(0, shown.mark));
  write_file_atomically(out, std::string_view(shown.content));
  return 0;
}

}  // namespace

Command store_command() {
  return {.name = "store",
          .summary = "look into a store, check it, show a photo or sketch of it, assemble one",
          .run =
              [](std::span<const std::string> args) {
                const std::vector<Command> parts = {{"info", "what a store holds", run_info},
                                                    {"verify", "read everything and check it", run_verify},
                                                    {"show", "write one photo or sketch to a file", run_show},
                                                    {"assemble", "make one generation of the parts of an import", store_assemble}};
                return run_part("store", "Looks into a store, or assembles one.", parts, args);
              },
          .group = "Data"};
}

}  // namespace duet
