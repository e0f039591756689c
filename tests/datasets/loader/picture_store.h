#pragma once
#include "datasets/image/image.h"
#include "tests/datasets/store/store_fixture.h"

namespace duet {

/// Photos of several shapes, smooth and coloured by their number.
inline Image picture(std::int64_t number) {
  Image image(32 + static_cast<int>(number % 3) * 16, 48, 3);
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) {
      for (int c = 0; c < 3; ++c)
        image.at(x, y, c) = static_cast<std::uint8_t>((static_cast<int>(number) * 37 + x * (c + 1) + y * 2) % 200);
    }
  }
  return image;
}

inline void add_pictures(StoreWriter& writer, std::int64_t first, std::int64_t last) {
  for (auto number = first; number < last; ++number) {
    const auto image = picture(number);
    const bool raw = writer.options().photo_format == PhotoFormat::raw;
    const auto bytes = raw ? std::vector<std::byte>(reinterpret_cast<const std::byte*>(image.pixels.data()),
                                                    reinterpret_cast<const std::byte*>(image.pixels.data() + image.pixels.size()))
                           : encode_jpeg(image, 90);
    const auto handle = writer.add_photo({photo_id(number), "train", bytes, image.width, image.height, 0});
    if (writer.kind() == StoreKind::pool) continue;
    for (int k = 0; k < 2; ++k) {
      writer.add_sketch({fmt::format("{}_{}", photo_id(number), k), "", handle,
                         noise_sketch(static_cast<std::uint64_t>(number * 2 + k), 6 + static_cast<int>(number % 5) * 4)});
    }
  }
}

inline std::filesystem::path make_store(const std::filesystem::path& folder, StoreKind kind, std::int64_t photos,
                                        PhotoFormat format = PhotoFormat::jpeg) {
  const auto path = folder / (to_string(kind) + ".store");
  auto writer = StoreWriter::create(path, kind, {.photo_format = format, .photo_side = 64, .shard_bytes = 6000});
  add_pictures(writer, 0, photos);
  writer.commit({});
  return path;
}

}  // namespace duet
