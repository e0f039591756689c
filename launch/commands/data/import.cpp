#include "launch/commands/commands.h"

#include <charconv>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "datasets/import/chairv2/chairv2.h"
#include "datasets/import/photos/assembly.h"
#include "datasets/import/photos/photos.h"
#include "datasets/import/quickdraw/quickdraw.h"
#include "launch/commands/data/watched_import.h"

namespace duet {

namespace {

namespace po = boost::program_options;

void add_target_options(po::options_description& options) {
  options.add_options()("out", po::value<std::string>()->value_name("STORE"), "folder of the store to make")(
      "append", po::bool_switch(), "the store exists: add a generation to it; trainings that read it go on with theirs")(
      "list", po::value<std::string>()->value_name("FILE"), "write everything left out there, one a line: reason, item, detail")(
      "json", po::bool_switch(), "print the closing report as JSON");
}

void add_photo_options(po::options_description& options, int quality) {
  options.add_options()("side", po::value<int>()->default_value(256), "longest side of the stored photos in pixels; smaller ones stay")(
      "quality", po::value<int>()->default_value(quality), "of the stored JPEGs, 1 to 100")(
      "threads", po::value<int>()->default_value(0), "threads that decode; 0: one a core. The store is the same for any number");
}

ImportTarget target_of(const ParsedOptions& options) {
  return {
      .store = options.get<std::string>("out"), .append = options.is_on("append"), .list_file = options.get_or<std::string>("list", "")};
}

PhotoPreparation preparation_of(const ParsedOptions& options) {
  return {.side = options.get<int>("side"), .quality = options.get<int>("quality")};
}

std::vector<std::filesystem::path> split_at_commas(const std::string& text) {
  std::vector<std::filesystem::path> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, ',');)
    if (!part.empty()) parts.emplace_back(part);
  if (parts.empty()) throw UsageError("--photos names no folder.");
  return parts;
}

int run_chairv2(std::span<const std::string> args) {
  CommandLine line{.command = "import chairv2",
                   .description =
                       "Makes a store of pairs from ChairV2 or ShoeV2 as SketchX gives them out: a folder of photos and a file of sketch "
                       "coordinates (a Python pickle, which is read without executing anything in it). Splits come from the keys; where "
                       "there is no validation part, every third training photo becomes it."};
  line.options.add_options()("photos", po::value<std::string>()->value_name("DIR[,DIR]"),
                             "folders that hold <photo>.png (or .jpg, .jpeg, .jpe, .jfif, .mpo, .apng, .webp)")(
      "coordinates", po::value<std::string>()->value_name("FILE"), "the pickle: {'/train/<photo>_<n>': [points, 3]}")(
      "canvas", po::value<std::string>()->value_name("SIZE|unit|offsets|fit"),
      "canvas of the coordinates, where it is not 256 pixels wide: its side, a unit square, offsets from point to point (sketch-rnn), or "
      "each drawing by its own extent");
  add_photo_options(line.options, 95);
  add_target_options(line.options);
  line.examples = {"duet import chairv2 --photos ChairV2/photo --coordinates ChairV2/ChairV2_Coordinate --out chairs.store",
                   "duet import chairv2 --photos trainB,testB --coordinates ShoeV2_Coordinate --side 299 --out shoes.store --json"};
  const auto parsed = parse(line, args);
  const Chairv2Options options{.photos = split_at_commas(parsed.get<std::string>("photos")),
                               .coordinates = parsed.get<std::string>("coordinates"),
                               .target = target_of(parsed),
                               .photo = preparation_of(parsed),
                               .canvas = parsed.given("canvas") ? SourceCanvas::from(parsed.get<std::string>("canvas")) : SourceCanvas{},
                               .threads = parsed.get<int>("threads")};
  WatchedImport watched("import chairv2", "photos");
  const auto report = import_chairv2(options, watched.hooks());
  watched.finish();
  return print_report(report, options.target.store, parsed.is_on("json"));
}

WalkShare share_from(const std::string& text) {
  WalkShare share;
  const auto* end = text.data() + text.size();
  const auto number = std::from_chars(text.data(), end, share.number);
  const bool slash = number.ec == std::errc() && number.ptr != end && *number.ptr == '/';
  const auto of = std::from_chars(slash ? number.ptr + 1 : end, end, share.of);
  if (!slash || of.ec != std::errc() || of.ptr != end) throw UsageError("--part '{}': is no part; the second of eight is 2/8.", text);
  share.check();
  return share;
}

int run_photos(std::span<const std::string> args) {
  CommandLine line{.command = "import photos",
                   .description =
                       "Makes a store of unlabelled photos, a pool, from everything below the folders that is a JPEG, PNG or WebP by its "
                       "content. Photos that look like one taken before are left out and listed, and so are, with --exclude-like, those "
                       "that look like a photo of another store: photos of a test set do not belong into training.",
                   .positionals = {{"DIR", "folder with photos, searched to the bottom", 1, -1}}};
  line.options.add_options()("exclude-like", po::value<std::string>()->value_name("STORE"),
                             "leave out what looks like a photo of this store, in any of its splits")(
      "part", po::value<std::string>()->value_name("I/N"),
      "import the I-th of N parts only, beside the other parts' processes; `duet store assemble` then makes them one generation")(
      "follow-links", po::bool_switch(), "take what links lead to, files and folders, for a part of the tree, wherever it lies");
  add_photo_options(line.options, 90);
  add_target_options(line.options);
  line.examples = {"duet import photos catalogue/ --exclude-like chairs.store --out pool.store",
                   "duet import photos new-photos/ --out pool.store --append --list left-out.tsv",
                   "duet import photos catalogue/ --out pool.store --part 2/8"};
  const auto parsed = parse(line, args);
  PhotosOptions options{.folders = {},
                        .links = parsed.is_on("follow-links") ? PhotoTree::Links::followed : PhotoTree::Links::inside,
                        .exclude_like = without_trailing_slash(parsed.get_or<std::string>("exclude-like", "")),
                        .target = target_of(parsed),
                        .photo = preparation_of(parsed),
                        .threads = parsed.get<int>("threads")};
  for (const auto& folder : parsed.arguments("DIR")) options.folders.emplace_back(folder);
  std::optional<WalkShare> share;
  if (parsed.given("part")) share = share_from(parsed.get<std::string>("part"));
  WatchedImport watched(share ? fmt::format("import photos {}/{}", share->number, share->of) : "import photos", "files");
  const auto report = share ? import_photo_part(options, *share, watched.hooks()) : import_photos(options, watched.hooks());
  watched.finish();
  return print_report(report, options.target.store, parsed.is_on("json"));
}

int run_quickdraw(std::span<const std::string> args) {
  CommandLine line{.command = "import quickdraw",
                   .description =
                       "Makes a store of sketches without photos from Quick, Draw! files, raw or simplified, one drawing a line. Drawings "
                       "are scaled to the canvas as ChairV2's sketches are; one in twenty is set aside for validation.",
                   .positionals = {{"FILE", "an .ndjson file", 1, -1}}};
  line.options.add_options()("max-drawings", po::value<std::int64_t>()->value_name("N"), "take at most so many of each file")(
      "recognized-only", po::bool_switch(), "take only what the game recognised");
  add_target_options(line.options);
  line.examples = {"duet import quickdraw chair.ndjson couch.ndjson --out strokes.store",
                   "duet import quickdraw *.ndjson --max-drawings 20000 --recognized-only --out strokes.store"};
  const auto parsed = parse(line, args);
  QuickdrawOptions options{.files = {}, .target = target_of(parsed)};
  for (const auto& file : parsed.arguments("FILE")) options.files.emplace_back(file);
  options.max_drawings = parsed.get_or<std::int64_t>("max-drawings", options.max_drawings);
  options.recognized_only = parsed.is_on("recognized-only");
  WatchedImport watched("import quickdraw", "KiB", 1024);
  const auto report = import_quickdraw(options, watched.hooks());
  watched.finish();
  return print_report(report, options.target.store, parsed.is_on("json"));
}

}  // namespace

Command import_command() {
  return {.name = "import",
          .summary = "make a store from photos, sketches or pairs of both",
          .run =
              [](std::span<const std::string> args) {
                const std::vector<Command> parts = {
                    {"chairv2", "pairs: photos and the coordinates of their sketches (ChairV2, ShoeV2)", run_chairv2},
                    {"photos", "a pool: any folders of JPEG, PNG and WebP files", run_photos},
                    {"quickdraw", "sketches: Quick, Draw! files", run_quickdraw}};
                return run_part("import", "Makes a store from what lies on disk, or adds to one.", parts, args);
              },
          .group = "Data"};
}

}  // namespace duet
