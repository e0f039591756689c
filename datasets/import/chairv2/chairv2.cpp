#include "datasets/import/chairv2/chairv2.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "datasets/image/perceptual_hash.h"
#include "datasets/image/similarity_index.h"
#include "datasets/import/photos/ordered_workers.h"
#include "datasets/import/pickle/pickle.h"
#include "datasets/sketch/sketch.h"
#include "datasets/store/splits.h"
#include "datasets/store/store.h"

namespace duet {

namespace {

constexpr const char* kWrongKey = "key is not '/<split>/<photo>_<n>'";
constexpr const char* kNoArray = "entry of the coordinate file that is no array of numbers";
constexpr const char* kNoSketch = "not a usable sketch";
constexpr const char* kNoPhotoFile = "sketch without photo";
constexpr const char* kNoSketches = "photo without sketch";
constexpr const char* kBadPhoto = "photo cannot be read";
constexpr const char* kOtherSplit = "sketch of another split than its photo";
constexpr const char* kTwice = "sketch is named twice";
constexpr int kSmallest = 8;  // pixels; the longer side of ChairV2's sketches is 190

constexpr const char* kPresent = "photo is in the store already";
constexpr const char* kNameTaken = "another photo of this name is in the store; rename this one, or import into a store of its own";

constexpr KnownRelease kReleases[] = {
    {"ChairV2, coordinate file", 952, 323, 300, 100},     {"ChairV2, PNG download", 964, 311, 300, 100},
    {"ChairV2, as papers state it", 1275, 725, 300, 100}, {"ShoeV2, as papers state it", 6051, 679, 1800, 200},
    {"ShoeV2, PNG download", 5982, 666, 1800, 200},
};

struct Key {
  std::string split, photo, sketch;
};

/// nullopt for a key of another form. Photo names contain '_' and '-', and <n> may have several characters: the last underscore separates.
std::optional<Key> parse_key(const std::string& text) {
  const std::string_view key = text.starts_with('/') ? std::string_view(text).substr(1) : std::string_view(text);
  const auto slash = key.find('/');
  if (slash == std::string_view::npos || key.find('/', slash + 1) != std::string_view::npos) return {};
  const auto prefix = key.substr(0, slash), name = key.substr(slash + 1);
  const auto cut = name.rfind('_');
  if (cut == std::string_view::npos || cut == 0 || cut + 1 == name.size() || name.size() > kMaxIdBytes) return {};
  // Ids are shown on terminals and written into reports.
  if (printable(name, name.size()) != name || name.starts_with('.')) return {};
  std::string split;
  if (prefix == "train" || prefix == "test")
    split = prefix;
  else if (prefix == "val" || prefix == "valid" || prefix == "validation")
    split = "validation";
  else
    return {};
  return Key{split, std::string(name.substr(0, cut)), std::string(name)};
}

/// A photo and what the coordinate file says of it.
struct PhotoSketches {
  std::string split;
  struct Entry {
    std::string id, split;  // as the key says; the photo's own split may differ
    std::int64_t index;     // in the pickle
  };
  std::vector<Entry> sketches;
};

/// Rows of x, y, pen, put on the 256 canvas. Throws DataError saying what is wrong with them.
Sketch to_sketch(const PickledArrays& arrays, std::int64_t index, const SourceCanvas& canvas, bool& closed) {
  const auto& shape = arrays.shape(index);
  if (shape.size() != 2 || shape[1] != 3) throw DataError("an array of shape [{}] instead of [points, 3]", fmt::join(shape, ", "));
  if (shape[0] == 0) throw DataError("no points");
  if (shape[0] > static_cast<std::int64_t>(kMaxSketchPoints)) throw DataError("{} points", shape[0]);
  const auto values = arrays.values(index);
  Sketch sketch(static_cast<std::size_t>(shape[0]));
  for (std::size_t i = 0; i < sketch.size(); ++i) sketch[i] = {values[3 * i], values[3 * i + 1], values[3 * i + 2]};
  check_sketch(sketch, "sketch");
  const auto same_place = [&](const SketchPoint& point) { return point.x == sketch[0].x && point.y == sketch[0].y; };
  if (std::all_of(sketch.begin(), sketch.end(), same_place)) throw DataError("all points in one place: nothing is drawn");
  closed = sketch.back().pen == 1;
  sketch.back().pen = 1;
  return onto_canvas(std::move(sketch), canvas);
}

bool is_photo_file(const std::filesystem::path& file) {
  auto extension = file.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  constexpr std::string_view kExtensions[] = {".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp"};
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension) != std::end(kExtensions);
}

/// Photo name → file. A name that several files bear belongs to the first, in the order of the folders and of the files' names.
std::map<std::string, std::filesystem::path> find_photos(const std::vector<std::filesystem::path>& folders, ImportReport& report) {
  std::map<std::string, std::filesystem::path> photos;
  for (const auto& folder : folders) {
    std::error_code error;
    if (!std::filesystem::is_directory(folder, error))
      throw InputMissing("{}: no such folder; --photos names folders of photos.", folder.string());
    std::vector<std::filesystem::path> files;
    for (auto entry = std::filesystem::directory_iterator(folder, error); !error && entry != std::filesystem::directory_iterator();
         entry.increment(error))
      if (is_photo_file(entry->path())) files.push_back(entry->path());
    if (error) throw_cannot_read(folder, error.value());
    std::sort(files.begin(), files.end());
    for (const auto& file : files) {
      const auto [first, is_new] = photos.emplace(file.stem().string(), file);
      if (!is_new) report.point_out("a second file of the same photo, not used", file.string());
    }
  }
  return photos;
}

/// The import's state between its stages; run() reads as the order of events.
class Import {
 public:
  Import(const Chairv2Options& options, const ImportHooks& hooks)
      : options_(options),
        hooks_(hooks),
        report_(options.target.list_file),
        writer_(open_target(options.target, StoreKind::pairs, {.photo_side = options.photo.side})),
        arrays_(PickledArrays::read(options.coordinates)),
        files_(find_photos(options.photos, report_)) {}

  ImportReport run() {
    note_photos_present();
    group_keys();
    leave_out_orphans();
    check_canvas();
    assign_splits();
    write_pairs();
    point_out_look_alikes();
    if (written_.empty())
      throw DataError("{}: no pair of a photo and a sketch could be imported.\n{}", options_.coordinates.string(), report_.text());
    report_.remark(compare_with_known_releases(found_));
    commit();
    return std::move(report_);
  }

 private:
  struct Written {
    std::string id, split;
    std::uint64_t hash;
  };

  void note_photos_present() {
    if (!options_.target.append) return;
    const auto view = Store::open(options_.target.store)->view("all");
    for (std::int64_t i = 0; i < view.photo_count(); ++i) {
      const auto photo = view.photo_info(i);
      present_.emplace(photo.id, photo.hash);
    }
  }

  void group_keys() {
    std::map<std::string, std::set<std::string>> photos_of_split;
    std::map<std::string, std::int64_t> sketches_of_split;
    std::set<std::string> sketch_names;
    for (const auto& [key, reason] : arrays_.others()) report_.leave_out(kNoArray, printable(key), reason);
    for (std::int64_t i = 0; i < arrays_.size(); ++i) {
      const auto key = parse_key(arrays_.key(i));
      if (!key) {
        report_.leave_out(kWrongKey, arrays_.key(i));
        continue;
      }
      source_validates_ |= key->split == "validation";
      photos_of_split[key->split].insert(key->photo);
      ++sketches_of_split[key->split];
      if (!sketch_names.insert(key->split + "/" + key->sketch).second) {
        report_.leave_out(kTwice, arrays_.key(i));
        continue;
      }
      auto& photo = photos_[key->photo];
      // A photo of the test split stays out of training, whatever else the file says of it.
      if (photo.split.empty() || key->split == "test" || (key->split == "validation" && photo.split == "train")) photo.split = key->split;
      photo.sketches.push_back({key->sketch, key->split, i});
    }
    if (photos_.empty())
      throw DataError("{}: none of its {} keys has the form '/<split>/<photo>_<n>'{}.", options_.coordinates.string(), arrays_.size(),
                      arrays_.size() > 0 ? fmt::format("; the first is '{}'", printable(arrays_.key(0))) : "");
    found_ = {"", sketches_of_split["train"] + sketches_of_split["validation"], sketches_of_split["test"],
              static_cast<std::int64_t>(photos_of_split["train"].size() + photos_of_split["validation"].size()),
              static_cast<std::int64_t>(photos_of_split["test"].size())};
    report_.count("sketches in the coordinate file", arrays_.size());
    report_.count("photos that they name", static_cast<std::int64_t>(photos_.size()));
    report_.count("photo files", static_cast<std::int64_t>(files_.size()));
  }

  void leave_out_orphans() {
    for (const auto& [name, file] : files_)
      if (!photos_.contains(name)) report_.leave_out(kNoSketches, file.filename().string());
    for (auto photo = photos_.begin(); photo != photos_.end();) {
      auto& sketches = photo->second.sketches;
      if (!files_.contains(photo->first)) {
        for (const auto& sketch : sketches) report_.leave_out(kNoPhotoFile, arrays_.key(sketch.index));
        sketches.clear();
      } else if (present_.contains(photo->first)) {
        report_.leave_out(reason_against(photo->first), photo->first, fmt::format("with {} sketches", sketches.size()));
        sketches.clear();
      }
      leave_out_unusable(photo->second);
      photo = sketches.empty() ? photos_.erase(photo) : std::next(photo);
    }
  }

  /// Why a photo of a name that the store holds is left out: by its looks it is that photo, or it is another one.
  const char* reason_against(const std::string& name) const {
    const auto prepared = prepare_photo(files_.at(name), options_.photo);
    if (!prepared.fault.empty()) return kBadPhoto;
    return hamming_distance(prepared.hash, present_.at(name)) <= kLookAlikeDistance ? kPresent : kNameTaken;
  }

  /// Sketches that are none, and those of another split than their photo. Each is converted here and again when it is written: keeping
  /// them would cost memory.
  void leave_out_unusable(PhotoSketches& photo) {
    std::erase_if(photo.sketches, [&](const auto& sketch) {
      const auto& [id, split, index] = sketch;
      if (split != photo.split) {
        report_.leave_out(kOtherSplit, arrays_.key(index), "the photo belongs to '" + photo.split + "'");
        return true;
      }
      try {
        bool closed = true;
        const auto points = to_sketch(arrays_, index, options_.canvas, closed);
        canvas_.add(points);
        point_out_misplaced(points, id);
        if (!closed) report_.point_out("last stroke was not ended in the source; it is in the store", id);
        return false;
      } catch (const DataError& fault) {
        report_.leave_out(kNoSketch, arrays_.key(index), fault.what());
        return true;
      }
    });
  }

  void point_out_misplaced(const Sketch& points, const std::string& id) {
    const auto [left, right] = std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.x < b.x; });
    const auto [top, bottom] = std::minmax_element(points.begin(), points.end(), [](auto& a, auto& b) { return a.y < b.y; });
    if (std::min(left->x, top->y) < -1 || std::max(right->x, bottom->y) > kCanvasSide + 1)
      report_.point_out("sketch reaches beyond the canvas of 256 pixels; what lies outside is not drawn", id);
    else if (std::max(right->x - left->x, bottom->y - top->y) < kSmallest)
      report_.point_out(fmt::format("sketch is smaller than {} pixels on the canvas of 256", kSmallest), id);
  }

  void check_canvas() {
    const auto finding = canvas_.finding();
    if (finding.empty()) return;
    if (!options_.canvas.said)
      throw DataError(
          "{}: its sketches are not on the canvas of 256 pixels that the field's files use. They look like {}. Say which it is; `--canvas "
          "256` takes them as they are.",
          options_.coordinates.string(), finding);
    report_.remark(
        fmt::format("The sketches, with --canvas as given, do not lie on the canvas of 256 pixels; they look like {}.", finding));
  }

  void assign_splits() {
    if (source_validates_) return;
    std::vector<std::string> ids;
    for (const auto& [id, photo] : photos_)
      if (photo.split == "train") ids.push_back(id);
    const auto splits = assign_validation(ids);
    for (std::size_t i = 0; i < ids.size(); ++i) photos_[ids[i]].split = splits[i];
    report_.remark("The source has no validation part: every third training photo in the order of names is 'validation'.");
  }

  void write_pairs() {
    OrderedWorkers<std::filesystem::path, PreparedPhoto> workers(
        import_threads(options_.threads), [this](const std::filesystem::path& file) { return prepare_photo(file, options_.photo); });
    const auto total = static_cast<std::int64_t>(photos_.size());
    std::int64_t done = 0;
    auto next = photos_.begin();
    for (const auto& [id, photo] : photos_) {
      while (next != photos_.end() && !workers.full()) workers.put(files_.at((next++)->first));
      write_pair(id, photo, workers.take());
      report_progress(hooks_, options_.target, ++done, total);
    }
  }

  void write_pair(const std::string& id, const PhotoSketches& photo, const PreparedPhoto& prepared) {
    if (!prepared.fault.empty()) {
      report_.leave_out(kBadPhoto, files_.at(id).filename().string(),
                        fmt::format("{} ({} sketches go with it)", prepared.fault, photo.sketches.size()));
      return;
    }
    const auto handle = writer_.add_photo({.id = id,
                                           .split = photo.split,
                                           .bytes = prepared.jpeg,
                                           .width = prepared.width,
                                           .height = prepared.height,
                                           .hash = prepared.hash});
    bool closed = true;
    for (const auto& sketch : photo.sketches)
      writer_.add_sketch(
          {.id = sketch.id, .split = photo.split, .photo = handle, .points = to_sketch(arrays_, sketch.index, options_.canvas, closed)});
    written_.push_back({id, photo.split, prepared.hash});
    report_.count("photos imported");
    report_.count("sketches imported", static_cast<std::int64_t>(photo.sketches.size()));
  }

  void point_out_look_alikes() {
    SimilarityIndex index(kLookAlikeDistance);
    for (std::size_t i = 0; i < written_.size(); ++i) {
      for (const auto match : index.matches(written_[i].hash)) {
        const auto& other = written_[static_cast<std::size_t>(match)];
        report_.point_out(
            other.split == written_[i].split ? "photos of one split that look alike" : "photos of different splits that look alike",
            fmt::format("{} ({}) and {} ({})", other.id, other.split, written_[i].id, written_[i].split));
      }
      index.add(written_[i].hash);
    }
  }

  void commit() {
    std::vector<std::string> folders;
    for (const auto& folder : options_.photos) folders.push_back(folder.filename().string());
    const auto manifest = writer_.commit({{"source", "chairv2"},
                                          {"coordinates", options_.coordinates.filename().string()},
                                          {"photos", folders},
                                          {"quality", options_.photo.quality},
                                          {"report", report_.json()}});
    for (const auto& [split, counts] : manifest.splits())
      report_.remark(fmt::format("Split '{}': {} photos, {} sketches.", split, counts.photos, counts.sketches));
    report_.close();
  }

  const Chairv2Options& options_;
  const ImportHooks& hooks_;
  ImportReport report_;
  StoreWriter writer_;
  PickledArrays arrays_;
  std::map<std::string, std::filesystem::path> files_;
  std::map<std::string, std::uint64_t> present_;  // id → hash
  CanvasCheck canvas_;
  std::map<std::string, PhotoSketches> photos_;
  bool source_validates_ = false;
  KnownRelease found_{};
  std::vector<Written> written_;
};

}  // namespace

std::string compare_with_known_releases(const KnownRelease& found) {
  const auto counts = fmt::format("{} training and {} test sketches of {} and {} photos", found.train_sketches, found.test_sketches,
                                  found.train_photos, found.test_photos);
  for (const auto& release : kReleases) {
    const bool train = found.train_sketches == release.train_sketches && found.train_photos == release.train_photos;
    const bool test = found.test_sketches == release.test_sketches && found.test_photos == release.test_photos;
    const auto whole = fmt::format("{} ({}/{} sketches, {}/{} photos)", release.name, release.train_sketches, release.test_sketches,
                                   release.train_photos, release.test_photos);
    if (train && test) return fmt::format("The counts are those of {}.", whole);
    if (train && found.test_sketches == 0) return fmt::format("The counts are those of the training part of {}.", whole);
    if (test && found.train_sketches == 0) return fmt::format("The counts are those of the test part of {}.", whole);
  }
  std::string known;
  for (const auto& release : kReleases)
    known += fmt::format("{}{} {}/{}", known.empty() ? "" : "; ", release.name, release.train_sketches, release.test_sketches);
  return fmt::format("{}: no known release has these counts (training/test sketches: {}). Say which data figures are measured on.", counts,
                     known);
}

ImportReport import_chairv2(const Chairv2Options& options, const ImportHooks& hooks) {
  options.photo.check();
  return Import(options, hooks).run();
}

}  // namespace duet
