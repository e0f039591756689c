#include "datasets/synthetic/photo.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <memory>

namespace duet {
namespace {

constexpr int kSamples = 2;  // each way, per pixel
constexpr int kTile = 64;    // side of the noise tile

/// A tile of smooth noise, −1 … 1, that repeats without a seam.
const std::array<float, kTile * kTile>& noise_tile() {
  static const auto tile = [] {
    KeyedRandom random(0, Purpose::synthetic, 0, 0);
    std::array<float, kTile * kTile> raw, smooth;
    for (auto& value : raw) value = static_cast<float>(random.uniform(-1, 1));
    for (int y = 0; y < kTile; ++y) {
      for (int x = 0; x < kTile; ++x) {
        float sum = 0;
        for (int dy = 0; dy < 2; ++dy) {
          for (int dx = 0; dx < 2; ++dx) sum += raw[(y + dy) % kTile * kTile + (x + dx) % kTile];
        }
        smooth[y * kTile + x] = sum / 2;
      }
    }
    return smooth;
  }();
  return tile;
}

/// Brightness change of a material at (u, v), about −1 … 1.
class Pattern {
 public:
  explicit Pattern(const Material& material)
      : texture_(material.texture), scale_(static_cast<float>(material.texture_scale)), tile_(noise_tile().data()) {}

  float at(float u, float v) const {
    switch (texture_) {
      case Texture::plain:
        return 0.3f * noise(u * 40, v * 40);
      case Texture::cloth:
        return noise(u * scale_ * 6, v * scale_ * 6);
      case Texture::wood:
        return noise(u * scale_ + 3 * noise(u * 5, v * 5), v * scale_ * 12);
      case Texture::stripes:
        return static_cast<int>(v * scale_ * 1.5f + 4096) % 2 == 0 ? 1.0f : -1.0f;
    }
    return 0;
  }

 private:
  float noise(float u, float v) const {
    const auto x = static_cast<unsigned>(static_cast<int>(u + 4096)) % kTile, y = static_cast<unsigned>(static_cast<int>(v + 4096)) % kTile;
    return tile_[y * kTile + x];
  }

  Texture texture_;
  float scale_;
  const float* tile_;
};

struct Lamp {
  Vec3 direction;  // towards it
  double ambient, strength;
};

struct Light {
  float diffuse, highlight;
};

Light light_at(const Lamp& lamp, const View& view, const Solid::Corner& corner, double gloss) {
  const auto& n = corner.normal;
  const double facing = std::max(0.0, dot(n, lamp.direction));
  const auto half = normalised(lamp.direction + view.to_camera(corner.position));
  const double shine = std::max(0.0, dot(n, half));
  const double shine_4 = shine * shine * shine * shine, shine_16 = shine_4 * shine_4 * shine_4 * shine_4;
  return {static_cast<float>(lamp.ambient + 0.12 * n.z + lamp.strength * facing), static_cast<float>(255 * gloss * shine_16)};
}

struct Samples {
  explicit Samples(int width)
      : side(width),
        nearness(static_cast<std::size_t>(width) * width, 0.0f),
        colour(std::make_unique_for_overwrite<Colour[]>(nearness.size())) {}

  using Colour = std::array<std::uint8_t, 3>;
  int side;
  std::vector<float> nearness;       // 0: background
  std::unique_ptr<Colour[]> colour;  // set where nearness is: the pages of a wide background are never touched
};

void paint(const Solid& solid, const View& view, const Lamp& lamp, Samples& samples) {
  for (const auto& triangle : solid.triangles) {
    const auto& corners = triangle.corners;
    if (!view.faces_camera(corners[0].position, triangle.normal)) continue;
    const auto& material = solid.materials[triangle.material];
    std::array<Light, 3> light;
    std::array<Projected, 3> at;
    std::array<float, 3> u, v;
    for (int k = 0; k < 3; ++k) {
      light[k] = light_at(lamp, view, corners[k], material.gloss);
      at[k] = view.project(corners[k].position);
      u[k] = static_cast<float>(corners[k].u);
      v[k] = static_cast<float>(corners[k].v);
    }
    const std::array<float, 3> base{static_cast<float>(255 * material.colour.x), static_cast<float>(255 * material.colour.y),
                                    static_cast<float>(255 * material.colour.z)};
    const auto contrast = static_cast<float>(material.contrast);
    const Pattern pattern(material);
    fill_triangle(at[0], at[1], at[2], samples.side, [&](std::size_t pixel, float nearness, float a, float b, float c) {
      if (nearness <= samples.nearness[pixel]) return;
      samples.nearness[pixel] = nearness;
      const float texture = 1 + contrast * pattern.at(a * u[0] + b * u[1] + c * u[2], a * v[0] + b * v[1] + c * v[2]);
      const float diffuse = (a * light[0].diffuse + b * light[1].diffuse + c * light[2].diffuse) * texture;
      const float highlight = a * light[0].highlight + b * light[1].highlight + c * light[2].highlight;
      for (int k = 0; k < 3; ++k) {
        samples.colour[pixel][k] = static_cast<std::uint8_t>(std::min(base[k] * diffuse + highlight, 255.0f));
      }
    });
  }
}

/// A light ground, darker towards one end, with a soft shadow under the thing.
struct Ground {
  float level, fall;  // 0 … 255
  float shadow_x, shadow_y, shadow_width, shadow_height, shadow_depth;

  float brightness(int x, int y, int side) const {
    const float value = level - fall * static_cast<float>(y) / static_cast<float>(side);
    const float dx = (static_cast<float>(x) - shadow_x) / shadow_width, dy = (static_cast<float>(y) - shadow_y) / shadow_height;
    const float covered = std::max(0.0f, 1 - dx * dx - dy * dy);
    return value * (1 - shadow_depth * covered * covered);
  }
};

/// The shadow lies where the lowest parts stand.
Ground choose_ground(const Solid& solid, const View& view, KeyedRandom& random) {
  double lowest = 1e9, left = 1e9, right = -1e9, top = 1e9, bottom = -1e9;
  for (const auto& triangle : solid.triangles) lowest = std::min(lowest, triangle.corners[0].position.z);
  for (const auto& triangle : solid.triangles) {
    for (const auto& corner : triangle.corners) {
      if (corner.position.z > lowest + 0.05) continue;
      const auto p = view.project(corner.position);
      left = std::min(left, p.x), right = std::max(right, p.x);
      top = std::min(top, p.y), bottom = std::max(bottom, p.y);
    }
  }
  const bool white = random.chance(0.7);
  const auto number = [&](double low, double high) { return static_cast<float>(random.uniform(low, high)); };
  Ground ground{};
  ground.level = white ? number(252, 255) : number(222, 250);
  ground.fall = white ? 0 : number(-12, 25);
  ground.shadow_depth = number(0, 0.3);
  ground.shadow_x = static_cast<float>((left + right) / 2) + number(-3, 3);
  ground.shadow_y = static_cast<float>((top + bottom) / 2 + 1);
  ground.shadow_width = static_cast<float>(std::max(4.0, (right - left) * 0.62));
  ground.shadow_height = static_cast<float>(std::max(4.0, (bottom - top) * 0.62 + 3));
  return ground;
}

}  // namespace

Image take_photo(const Thing& thing, KeyedRandom& random, int side) {
  const double extent = side * random.uniform(0.7, 0.9);
  const double room = (side - extent) * 0.2;
  const double centre_x = side / 2.0 + random.uniform(-room, room), centre_y = side / 2.0 + random.uniform(-room, room);
  const View view(thing.solid, thing.viewpoint, centre_x, centre_y, extent);
  const View fine_view(thing.solid, thing.viewpoint, centre_x * kSamples, centre_y * kSamples, extent * kSamples);
  const double from = thing.viewpoint.azimuth + random.uniform(-1.2, 1.2);
  const Lamp lamp{normalised({std::sin(from), -std::cos(from), random.uniform(0.5, 1.6)}), random.uniform(0.42, 0.6),
                  random.uniform(0.4, 0.65)};
  const auto ground = choose_ground(thing.solid, view, random);

  Samples samples(side * kSamples);
  paint(thing.solid, fine_view, lamp, samples);

  Image photo(side, side, 3);
  constexpr unsigned kAll = kSamples * kSamples;
  const int noise = static_cast<int>(random.uniform(0.5, 3.5) * 256);  // in 1/256 of a level
  auto* pixel = photo.pixels.data();
  for (int y = 0; y < side; ++y) {
    for (int x = 0; x < side; ++x) {
      std::array<unsigned, 3> sum{};
      unsigned covered = 0;
      for (unsigned sample = 0; sample < kAll; ++sample) {
        const auto at = static_cast<std::size_t>(y * kSamples + sample / kSamples) * samples.side + x * kSamples + sample % kSamples;
        if (samples.nearness[at] == 0) continue;
        ++covered;
        for (int k = 0; k < 3; ++k) sum[k] += samples.colour[at][k];
      }
      const int ground_part =
          covered == kAll ? 0 : static_cast<int>(static_cast<float>((kAll - covered) * 256) * ground.brightness(x, y, side));
      const std::uint64_t bits = random.next();  // the sum of two uniforms a channel: grain with a peak in the middle
      for (int k = 0; k < 3; ++k) {
        const int grain = static_cast<int>(bits >> (16 * k) & 255) + static_cast<int>(bits >> (16 * k + 8) & 255) - 255;
        const int level = (static_cast<int>((sum[k] * 256 + ground_part) / kAll) + (noise * grain >> 8) + 128) >> 8;
        *pixel++ = static_cast<std::uint8_t>(std::clamp(level, 0, 255));
      }
    }
  }
  return photo;
}

}  // namespace duet
