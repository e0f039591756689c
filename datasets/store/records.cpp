#include "datasets/store/records.h"

namespace duet {

std::string to_string(StoreKind kind) {
  switch (kind) {
    case StoreKind::pairs:
      return "pairs";
    case StoreKind::pool:
      return "pool";
    case StoreKind::strokes:
      return "strokes";
  }
  throw InternalError("store kind {} has no name", static_cast<int>(kind));
}

StoreKind store_kind_from(const std::string& name, const std::string& subject) {
  for (const auto kind : {StoreKind::pairs, StoreKind::pool, StoreKind::strokes}) {
    if (to_string(kind) == name) return kind;
  }
  throw DataError("{}: '{}' is no kind of store (pairs, pool, strokes).", subject, name);
}

std::string to_string(PhotoFormat format) { return format == PhotoFormat::raw ? "raw" : "jpeg"; }

PhotoFormat photo_format_from(const std::string& name, const std::string& subject) {
  for (const auto format : {PhotoFormat::jpeg, PhotoFormat::raw}) {
    if (to_string(format) == name) return format;
  }
  throw DataError("{}: '{}' is no format of photos (jpeg, raw).", subject, name);
}

}  // namespace duet
