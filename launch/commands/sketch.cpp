#include <map>

#include "base/file.h"
#include "base/log.h"
#include "datasets/image/image.h"
#include "datasets/loader/photo_sampler.h"
#include "datasets/loader/sample.h"
#include "datasets/sketch/svg.h"
#include "launch/cli/output_file.h"
#include "launch/commands/commands.h"
#include "launch/rank/run_networks.h"

namespace duet {
namespace {

namespace po = boost::program_options;

constexpr std::uint64_t kMostPhotoBytes = 256 << 20;

Tensor photo_tensor(const std::string& file, int side) {
  const auto content = read_file(file, kMostPhotoBytes);
  const auto image = decode_image(std::as_bytes(std::span(content)), {}, file);
  auto pixels = at::empty({1, side, side, 3}, at::kByte);
  PhotoSampler sampler;
  sampler.sample(image, {}, side, {pixels.data_ptr<std::uint8_t>(), static_cast<std::size_t>(pixels.numel())});
  return pixels;
}

std::string name_of_drawing(const std::string& photo, std::size_t sample, int samples) {
  const auto name = std::filesystem::path(photo).stem().string();
  return samples > 1 ? fmt::format("{}-{}", name, sample + 1) : name;
}

// Before the networks are loaded: no photo, and nothing else that lies there, may go under a drawing.
void check_drawings(const std::filesystem::path& out, const std::vector<std::string>& photos, int samples) {
  const std::vector<std::filesystem::path> inputs(photos.begin(), photos.end());
  const auto png = encode_png(Image(kCanvasSide, kCanvasSide, 1));
  const std::string_view png_head(reinterpret_cast<const char*>(png.data()), kPngMark);
  for (const auto& photo : photos) {
    for (std::size_t sample = 0; sample < static_cast<std::size_t>(samples); ++sample) {
      const auto name = name_of_drawing(photo, sample, samples);
      refuse_to_overwrite(out / (name + ".svg"), inputs, svg_head({}));
      refuse_to_overwrite(out / (name + ".png"), inputs, png_head);
    }
  }
}

int run_sketch(std::span<const std::string> args) {
  CommandLine line{
      .command = "sketch",
      .description = "Draws photos as the generator of a run sees them: an SVG and a PNG (256 × 256, white on black) for each drawing.",
      .positionals = {{"PHOTO", "JPEG, PNG or WebP files", 1, -1}},
      .examples = {"duet sketch chair.jpg --run runs/first --out drawings",
                   "duet sketch photos/*.png --run runs/first --out drawings --samples 4"}};
  add_run_options(line);
  line.options.add_options()("out", po::value<std::string>(), "folder for the drawings; made when absent")(
      "samples", po::value<int>()->default_value(1), "drawings of each photo");
  const auto options = parse(line, args);
  const int samples = options.get<int>("samples");
  if (samples < 1 || samples > 1000) throw UsageError("--samples {}: takes 1 … 1000.", samples);
  const std::filesystem::path out(options.get<std::string>("out"));
  const auto files = options.arguments("PHOTO");
  std::map<std::string, std::string> file_of;
  for (const auto& file : files) {
    const auto [same, first] = file_of.emplace(std::filesystem::path(file).stem().string(), file);
    if (!first) throw UsageError("{} and {} would have drawings of the same name; draw them into different folders.", same->second, file);
  }

  check_drawings(out, files, samples);
  auto self = make_self_communicator();
  OpenedRun run(options, {*self, *self, *self, *self});
  std::vector<Tensor> photos;
  for (const auto& file : files) photos.push_back(photo_tensor(file, run.config().data.image_side));
  const auto sketches = run.networks().draw(photos, samples);

  std::error_code failed;
  std::filesystem::create_directories(out, failed);
  if (failed) throw CannotCreate("{}: cannot be made: {}.", out.string(), failed.message());
  Json list = Json::array();
  for (std::size_t i = 0; i < sketches.size(); ++i) {
    const auto& file = files[i / static_cast<std::size_t>(samples)];
    const auto name = name_of_drawing(file, i % static_cast<std::size_t>(samples), samples);
    Image raster(kCanvasSide, kCanvasSide, 1);
    raster.pixels = raster_of(sketches[i], kCanvasSide, false, file);
    write_file_atomically(out / (name + ".svg"), to_svg(sketches[i], {}));
    write_file_atomically(out / (name + ".png"), encode_png(raster));
    list.push_back(Json{{"photo", file},
                        {"svg", (out / (name + ".svg")).string()},
                        {"png", (out / (name + ".png")).string()},
                        {"points", sketches[i].size()}});
  }
  if (options.is_on("json")) {
    print_json(list);
  } else {
    say("{} drawing{} in {}", sketches.size(), sketches.size() == 1 ? "" : "s", out.string());
  }
  return 0;
}

}  // namespace

Command sketch_command() { return {"sketch", "draw photos with a run's generator: SVG and PNG", run_sketch, "Training"}; }

}  // namespace duet
