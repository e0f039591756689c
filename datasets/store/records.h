#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/error.h"
#include "datasets/sketch/sketch.h"

namespace duet {

/// Labelled photos with their sketches; photos only; sketches only.
enum class StoreKind { pairs, pool, strokes };

/// How a store keeps the pixels of its photos. raw: uint8 RGB, [height, width, 3].
enum class PhotoFormat { jpeg, raw };

/// Limits that hold for every store, beside kMaxSketchPoints: what lies outside is refused when written and is DataError when read.
inline constexpr std::int64_t kMaxIdBytes = 1024;
inline constexpr std::int64_t kMaxPhotoBytes = 256 << 20;
inline constexpr std::int64_t kMaxPhotoSide = 20'000;

/// A photo on its way into a store. `bytes` are borrowed for the call: a JPEG file's bytes,
/// or width·height·3 values in a store of raw photos.
struct PhotoRecord {
  std::string id;  ///< the last part of the source's key; UTF-8, at most kMaxIdBytes, not empty
  std::string split = "train";
  std::span<const std::byte> bytes;
  int width = 0;
  int height = 0;
  std::uint64_t hash = 0;  ///< perceptual hash
};

/// A sketch on its way in or out. In: `photo` is the handle that add_photo() returned. Out: the photo's index in the view that read it. −1:
/// none.
struct SketchRecord {
  std::string id;
  std::string split = "train";  ///< in: used only where there is no photo; a sketch follows its photo
  std::int64_t photo = -1;
  Sketch points;  ///< absolute, on the 256 canvas, as the source gives them (float64)
};

/// What a store knows of a photo without its pixels. The sketches of a photo are neighbours: first_sketch … first_sketch + sketch_count − 1
/// of the same view.
struct PhotoInfo {
  std::string id;
  std::string split;
  int width = 0;
  int height = 0;
  std::uint64_t hash = 0;
  std::int64_t stored_bytes = 0;
  std::int64_t first_sketch = 0;
  std::int64_t sketch_count = 0;
};

/// A sample whose bytes are not those that were written. The message names store, shard, index and id.
class ChecksumError : public DataError {
 public:
  using DataError::DataError;
};

/// A sample that cannot be used, and why.
struct BadSample {
  enum class Kind { photo, sketch };
  Kind kind = Kind::photo;
  std::int64_t index = 0;  ///< in the view it was read through
  std::string reason;      ///< names store, shard, index and, where readable, id
};

/// "pairs", "pool", "strokes" and back; `subject` names the file in the DataError.
std::string to_string(StoreKind kind);
StoreKind store_kind_from(const std::string& name, const std::string& subject);
std::string to_string(PhotoFormat format);
PhotoFormat photo_format_from(const std::string& name, const std::string& subject);

}  // namespace duet
