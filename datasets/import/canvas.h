#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "datasets/sketch/sketch.h"

namespace duet {

/// In which coordinates the sketches of a source are given.
struct SourceCanvas {
  enum class Kind {
    square,   ///< absolute, 0 … side: one factor for all
    offsets,  ///< from point to point, as sketch-rnn keeps them: added up, then fitted
    fit,      ///< absolute, of whatever extent: each drawing fitted by itself
  };
  Kind kind = Kind::square;
  double side = kCanvasSide;
  bool said = false;  ///< by the user, who is believed

  /// "256", "800", "unit", "offsets", "fit". Throws UsageError naming --canvas.
  static SourceCanvas from(const std::string& text);
};

/// One factor and a shift so that the longer side is 190 and the middle lies at (128, 128), as in ChairV2 (docs/method.md §1.2). False when
/// the drawing has no extent.
bool fit_to_canvas(Sketch& sketch);

/// The sketch on the 256 canvas. Throws DataError when it has no extent and is to be fitted.
Sketch onto_canvas(Sketch sketch, const SourceCanvas& canvas);

/// Whether points are offsets and not places: added up, the points of a drawing stay where it is drawn, while places add up to a walk far
/// away. Meaningful from kTellingPoints points on.
inline constexpr std::size_t kTellingPoints = 8;
bool looks_like_offsets(const Sketch& sketch);

/// Compares the numbers of a source's sketches with what the field's files hold. One thread.
class CanvasCheck {
 public:
  void add(const Sketch& sketch);

  /// "a canvas of about 800 pixels (…): `--canvas 800` converts them": what most of the sketches look like, where that is not the 256
  /// canvas; empty where it is.
  std::string finding() const;

 private:
  std::vector<double> low_, high_, side_, middle_x_, middle_y_;
  std::int64_t telling_ = 0, offsets_ = 0;  // sketches of enough points, and those of them that look like offsets
};

}  // namespace duet
