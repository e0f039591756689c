#pragma once
#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/random.h"
#include "datasets/store/store.h"

namespace duet {

/// Bytes that no two samples share and no compressor likes.
inline std::vector<std::byte> noise_bytes(std::uint64_t sample, std::size_t count) {
  KeyedRandom random(1, Purpose::test, 0, sample);
  std::vector<std::byte> bytes(count);
  for (auto& byte : bytes) byte = static_cast<std::byte>(random.next());
  return bytes;
}

inline Sketch noise_sketch(std::uint64_t sample, int points) {
  KeyedRandom random(1, Purpose::test, 1, sample);
  Sketch sketch;
  for (int i = 0; i < points; ++i)
    sketch.push_back({random.uniform(0, 256), random.uniform(0, 256), i % 7 == 6 || i == points - 1 ? 1.0 : 0.0});
  return sketch;
}

inline std::string photo_id(std::int64_t number) { return fmt::format("photo-{:04}", number); }

/// What is in photo `number` of the stores below.
inline std::vector<std::byte> photo_bytes(std::int64_t number) {
  return noise_bytes(static_cast<std::uint64_t>(number), 500 + static_cast<std::size_t>(number % 13) * 40);
}

/// Photos `first` to `last` − 1, each with number % 3 sketches; every fourth photo is in split 'test', the others in 'train'.
inline void add_pairs(StoreWriter& writer, std::int64_t first, std::int64_t last) {
  for (auto number = first; number < last; ++number) {
    const auto bytes = photo_bytes(number);
    const auto handle =
        writer.add_photo({photo_id(number), number % 4 == 3 ? "test" : "train", bytes, 20, 10, mix(5, static_cast<std::uint64_t>(number))});
    for (int k = 0; k < number % 3; ++k) {
      writer.add_sketch(
          {fmt::format("{}_{}", photo_id(number), k), "", handle, noise_sketch(static_cast<std::uint64_t>(number * 10 + k), 5 + k)});
    }
  }
}

/// Small shards, so that there are many.
inline std::filesystem::path make_pairs(const std::filesystem::path& folder, std::int64_t photos, std::int64_t shard_bytes = 4096) {
  const auto path = folder / "pairs.store";
  auto writer = StoreWriter::create(path, StoreKind::pairs, {.shard_bytes = shard_bytes});
  add_pairs(writer, 0, photos);
  writer.commit({{"source", "test"}});
  return path;
}

inline std::string content_of(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void overwrite(const std::filesystem::path& file, const std::string& content) {
  std::ofstream(file, std::ios::binary | std::ios::trunc) << content;
}

inline void flip_byte(const std::filesystem::path& file, std::size_t place) {
  auto content = content_of(file);
  content.at(place) = static_cast<char>(content.at(place) ^ 0x40);
  overwrite(file, content);
}

/// The same without writing the rest of the file anew.
inline void flip_in_place(const std::filesystem::path& file, std::size_t place) {
  std::fstream stream(file, std::ios::binary | std::ios::in | std::ios::out);
  stream.seekg(static_cast<std::streamoff>(place));
  const char changed = static_cast<char>(stream.get() ^ 0x40);
  stream.seekp(static_cast<std::streamoff>(place));
  stream.put(changed);
}

/// Where `bytes` lie in a file; they must be there once.
inline std::size_t place_of(const std::filesystem::path& file, std::span<const std::byte> bytes) {
  return content_of(file).find(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

/// All files below a folder with their content: to see that nothing changed.
inline std::vector<std::pair<std::string, std::string>> snapshot(const std::filesystem::path& folder) {
  std::vector<std::pair<std::string, std::string>> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    files.emplace_back(std::filesystem::relative(entry.path(), folder), entry.is_regular_file() ? content_of(entry.path()) : "");
  }
  std::sort(files.begin(), files.end());
  return files;
}

template <typename Expected, typename Call>
std::string message_of(Call call) {
  try {
    call();
  } catch (const Expected& error) {
    return error.what();
  }
  return "nothing of that kind was thrown";
}

inline std::filesystem::path first_shard(const std::filesystem::path& store) {
  return store / Store::open(store)->manifest().shards.front().file;
}

}  // namespace duet
