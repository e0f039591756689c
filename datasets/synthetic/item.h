#pragma once
#include <cstdint>
#include <string>

#include "datasets/image/image.h"
#include "datasets/sketch/sketch.h"

namespace duet {

/// What is made. Every kind has its own dozen and more parameters of shape (a chair's legs, seat, back, arm rests; a shoe's heel, toe,
/// sole, laces …).
enum class ItemKind { chair, shoe };

/// "chair", "shoe", and back. Throws UsageError naming the text and the known kinds.
std::string to_string(ItemKind kind);
ItemKind item_kind(const std::string& name);

/// Everything below is a pure function of its arguments: the same bytes whatever was drawn before, on every thread. Item `index` of `seed`
/// is one thing with its own shape and colours; different indices are different things.

/// A product photo: shaded, textured, on a light background, side × side RGB. The sketch's canvas maps onto the whole photo only roughly,
/// as with human sketches: those are centred and scaled to 190 px whatever the photo's framing.
Image render_photo(ItemKind kind, std::uint64_t seed, std::int64_t index, int side = 256);

/// Drawing number `drawing` of the item: the photo's visible outlines as a person might draw them (shaky, overshooting, skewed, parts in
/// some order, some left out). On the 256 canvas, longer side 190, centred at (128, 128).
Sketch render_sketch(ItemKind kind, std::uint64_t seed, std::int64_t index, int drawing = 0);

/// Photo of 256 × 256 and drawing 0.
struct SyntheticItem {
  Image photo;
  Sketch sketch;
};
SyntheticItem render_item(ItemKind kind, std::uint64_t seed, std::int64_t index);

}  // namespace duet
