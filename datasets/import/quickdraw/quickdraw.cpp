#include "datasets/import/quickdraw/quickdraw.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file_kind.h"
#include "base/json.h"
#include "base/random.h"
#include "base/text.h"
#include "datasets/import/canvas.h"
#include "datasets/import/fingerprint_set.h"
#include "datasets/import/line_reader.h"
#include "datasets/sketch/sketch.h"
#include "datasets/store/store.h"

namespace duet {

namespace {

constexpr std::size_t kMaxLineBytes = 4 << 20;
constexpr std::uint64_t kValidationShare = 20;
constexpr std::size_t kMaxNameBytes = 200;

constexpr const char* kBadLine = "line is no drawing";
constexpr const char* kNoExtent = "nothing is drawn";
constexpr const char* kNotRecognised = "not recognised";
constexpr const char* kTwice = "came before";

/// Raw coordinates. Throws DataError saying what the line lacks.
Sketch parse_strokes(const Json& drawing) {
  if (!drawing.is_array() || drawing.empty()) throw DataError("no 'drawing' with strokes");
  Sketch sketch;
  for (const auto& stroke : drawing) {
    if (stroke.is_array() && stroke.empty()) continue;
    if (!stroke.is_array() || stroke.size() < 2 || !stroke[0].is_array() || !stroke[1].is_array())
      throw DataError("a stroke is not [[x…], [y…]]");
    const auto& xs = stroke[0];
    const auto& ys = stroke[1];
    if (xs.size() != ys.size()) throw DataError("a stroke has {} x and {} y", xs.size(), ys.size());
    if (sketch.size() + xs.size() > kMaxSketchPoints) throw DataError("more than {} points", kMaxSketchPoints);
    for (std::size_t i = 0; i < xs.size(); ++i) {
      if (!xs[i].is_number() || !ys[i].is_number()) throw DataError("a coordinate is no number");
      sketch.push_back({xs[i].get<double>(), ys[i].get<double>(), i + 1 == xs.size() ? 1.0 : 0.0});
    }
  }
  check_sketch(sketch, "drawing");
  return sketch;
}

/// Tables keep what is no plain value as a text.
Json drawing_of(const Json& object) {
  auto drawing = object.value("drawing", Json());
  if (drawing.is_string()) return parse_json_line(drawing.get_ref<const std::string&>());
  return drawing;
}

/// Tables may keep truth as a number or a text.
bool is_recognized(const Json& object) {
  const auto value = object.value("recognized", Json());
  return value == Json(true) || value == Json(1) || value == Json("true") || value == Json("True");
}

std::string text_or_number(const Json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  if (found->is_number_integer()) return json_text(*found);
  const double number = found->is_number_float() ? found->get<double>() : 0.5;  // as tables keep a column of whole numbers
  return std::abs(number) < 9e15 && number == std::floor(number) ? fmt::format("{:.0f}", number) : std::string();
}

class Import {
 public:
  Import(const QuickdrawOptions& options, const ImportHooks& hooks)
      : options_(options), hooks_(hooks), report_(options.target.list_file), writer_(open_target(options.target, StoreKind::strokes, {})) {
    for (const auto& file : options.files) {
      check_file_kind(file, {FileKind::json, FileKind::empty}, "`duet import quickdraw` takes ndjson, one drawing a line.");
      std::error_code error;
      const auto size = std::filesystem::file_size(file, error);
      if (error) throw InputMissing("{}: {}.", file.string(), error.message());
      total_bytes_ += static_cast<std::int64_t>(size);
    }
    if (!options.target.append) return;
    const auto view = Store::open(options.target.store)->view("all");
    for (std::int64_t i = 0; i < view.sketch_count(); ++i) {
      const auto sketch = view.read_sketch(i);
      seen_.insert(checksum(bytes_of(sketch.id)));
      drawn_.insert(content_of(sketch));
    }
  }

  ImportReport run() {
    report_.count("drawings imported", 0);
    for (const auto& file : options_.files) read_file(file);
    if (report_.counted("drawings imported") == 0)
      throw DataError("{}: no drawing to import.\n{}", options_.files.front().string(), report_.text());
    if (2 * offsets_ > telling_)
      throw DataError("{}: most of its drawings look like offsets from point to point, not like places on a canvas. Add them up first.",
                      options_.files.front().string());
    std::vector<std::string> names;
    for (const auto& file : options_.files) names.push_back(file.filename().string());
    const auto manifest = writer_.commit(
        {{"source", "quickdraw"}, {"files", names}, {"recognized_only", options_.recognized_only}, {"report", report_.json()}});
    for (const auto& [split, counts] : manifest.splits()) report_.remark(fmt::format("Split '{}': {} drawings.", split, counts.sketches));
    report_.close();
    return std::move(report_);
  }

 private:
  void read_file(const std::filesystem::path& file) {
    LineReader reader(file, kMaxLineBytes);
    std::string line;
    std::int64_t taken = 0;
    while (taken < options_.max_drawings) {
      const auto found = reader.next(line);
      if (found == LineReader::Found::end) break;
      const auto where = fmt::format("{}:{}", file.filename().string(), reader.number());
      if (found == LineReader::Found::too_long)
        report_.leave_out(kBadLine, where, fmt::format("longer than {} bytes", kMaxLineBytes));
      else if (line.find_first_not_of(" \t") != std::string::npos)
        taken += take(line, where, file.stem().string()) ? 1 : 0;
      report_progress(hooks_, options_.target, finished_bytes_ + reader.position(), total_bytes_);
    }
    finished_bytes_ += static_cast<std::int64_t>(std::filesystem::file_size(file));
  }

  /// True when the line's drawing went into the store.
  bool take(const std::string& line, const std::string& where, const std::string& default_word) {
    report_.count("lines");
    const auto object = parse_json_line(line);
    if (!object.is_object()) {
      report_.leave_out(kBadLine, where, "no JSON object");
      return false;
    }
    if (options_.recognized_only && !is_recognized(object)) {
      report_.leave_out(kNotRecognised, where);
      return false;
    }
    try {
      SketchRecord record{.id = id_of(object, where, default_word), .points = parse_strokes(drawing_of(object))};
      if (record.points.size() >= kTellingPoints) {
        ++telling_;
        offsets_ += looks_like_offsets(record.points) ? 1 : 0;
      }
      const auto key = checksum(bytes_of(record.id));
      if (!fit_to_canvas(record.points)) {
        report_.leave_out(kNoExtent, where, record.id);
      } else if (!take_name(record, where)) {
        report_.leave_out(kTwice, where, record.id);
      } else {
        record.split = key % kValidationShare == 0 ? "validation" : "train";
        writer_.add_sketch(record);
        report_.count("drawings imported");
        return true;
      }
    } catch (const DataError& fault) {
      report_.leave_out(kBadLine, where, fault.what());
    }
    return false;
  }

  /// False for a drawing that came before. Another one of the same key (ids that a program rounded, lines without key of files with the
  /// same name) gets a name of its own, made of what is drawn.
  bool take_name(SketchRecord& record, const std::string& where) {
    const bool is_new_name = seen_.insert(checksum(bytes_of(record.id)));
    const auto content = content_of(record);
    if (!drawn_.insert(content)) return false;
    if (is_new_name) return true;
    record.id += "#" + to_hex(content);
    report_.point_out("another drawing of the same key; its id got an addition", fmt::format("{}: {}", where, record.id));
    return true;
  }

  /// Of the drawing and its key, which may have been given an addition.
  static std::uint64_t content_of(const SketchRecord& record) {
    return mix(checksum(bytes_of(record.points)), checksum(bytes_of(record.id.substr(0, record.id.find('#')))));
  }

  static std::string id_of(const Json& object, const std::string& where, const std::string& default_word) {
    auto word = text_or_number(object, "word"), key = text_or_number(object, "key_id");
    if (word.empty()) word = default_word;
    if (key.empty()) key = where;
    std::replace(word.begin(), word.end(), '/', '-');
    return shortened(word) + "/" + shortened(key);
  }

  /// Two long names that differ at their ends only stay two.
  static std::string shortened(const std::string& name) {
    auto shown = printable(name, kMaxNameBytes);
    std::replace(shown.begin(), shown.end(), '#', '-');
    return name.size() > kMaxNameBytes ? shown + to_hex(checksum(bytes_of(name))) : shown;
  }

  const QuickdrawOptions& options_;
  const ImportHooks& hooks_;
  ImportReport report_;
  StoreWriter writer_;
  FingerprintSet seen_;   // ids
  FingerprintSet drawn_;  // drawings with their keys
  std::int64_t total_bytes_ = 0;
  std::int64_t finished_bytes_ = 0;
  std::int64_t telling_ = 0, offsets_ = 0;  // drawings of enough points, and those of them that look like offsets
};

}  // namespace

ImportReport import_quickdraw(const QuickdrawOptions& options, const ImportHooks& hooks) {
  if (options.files.empty()) throw UsageError("no file of drawings is named.");
  if (options.max_drawings < 1) throw UsageError("--max-drawings is {}; it must be at least 1.", options.max_drawings);
  return Import(options, hooks).run();
}

}  // namespace duet
