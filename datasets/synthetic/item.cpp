#include "datasets/synthetic/item.h"

#include "base/error.h"
#include "base/random.h"
#include "datasets/synthetic/drawing.h"
#include "datasets/synthetic/photo.h"
#include "datasets/synthetic/things.h"

namespace duet {
namespace {

/// What a stream of noise decides; drawing number n uses kDrawing + n. Together with the kind this is the 'step' of the key.
enum Stream : std::uint64_t { kShape = 1, kPhoto = 2, kDrawing = 16 };

KeyedRandom noise(ItemKind kind, std::uint64_t seed, std::int64_t index, std::uint64_t stream) {
  return KeyedRandom(seed, Purpose::synthetic, (static_cast<std::uint64_t>(kind) << 32) + stream, static_cast<std::uint64_t>(index));
}

Thing make_thing(ItemKind kind, std::uint64_t seed, std::int64_t index) {
  auto random = noise(kind, seed, index, kShape);
  return kind == ItemKind::chair ? make_chair(random) : make_shoe(random);
}

}  // namespace

std::string to_string(ItemKind kind) { return kind == ItemKind::chair ? "chair" : "shoe"; }

ItemKind item_kind(const std::string& name) {
  if (name == "chair") return ItemKind::chair;
  if (name == "shoe") return ItemKind::shoe;
  throw UsageError("'{}' is no kind of synthetic item; there are chair and shoe.", name);
}

Image render_photo(ItemKind kind, std::uint64_t seed, std::int64_t index, int side) {
  DUET_CHECK(side >= 16 && side <= 4096, "side {}", side);
  auto random = noise(kind, seed, index, kPhoto);
  return take_photo(make_thing(kind, seed, index), random, side);
}

Sketch render_sketch(ItemKind kind, std::uint64_t seed, std::int64_t index, int drawing) {
  auto random = noise(kind, seed, index, kDrawing + static_cast<std::uint64_t>(drawing));
  return draw_sketch(make_thing(kind, seed, index), random);
}

SyntheticItem render_item(ItemKind kind, std::uint64_t seed, std::int64_t index) {
  return {render_photo(kind, seed, index), render_sketch(kind, seed, index)};
}

}  // namespace duet
