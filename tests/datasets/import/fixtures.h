#pragma once
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/checksum.h"
#include "base/error.h"
#include "base/file.h"
#include "base/random.h"
#include "datasets/image/image.h"

namespace duet::testing {

/// A picture with a look of its own, from its number: blocks of grey on white.
/// Pictures of different numbers have distant perceptual hashes.
inline Image picture(std::uint64_t number, int width = 96, int height = 96) {
  KeyedRandom random(11, Purpose::test, 0, number);
  Image image(width, height, 3, 255);
  constexpr int kCells = 6;
  std::vector<std::uint8_t> cell(kCells * kCells);
  for (auto& grey : cell) grey = static_cast<std::uint8_t>(random.below(240));
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (int c = 0; c < 3; ++c) image.at(x, y, c) = cell[static_cast<std::size_t>((y * kCells / height) * kCells + x * kCells / width)];
  return image;
}

inline void write_png(const std::filesystem::path& file, const Image& image) {
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, std::span<const std::byte>(encode_png(image)));
}

inline void write_jpeg(const std::filesystem::path& file, const Image& image, int quality = 80) {
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, std::span<const std::byte>(encode_jpeg(image, quality)));
}

inline void write_text(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  write_file_atomically(file, std::string_view(text));
}

/// Relative name → checksum of every file below a folder: equal maps, equal folders.
inline std::map<std::string, std::uint64_t> contents(const std::filesystem::path& folder) {
  std::map<std::string, std::uint64_t> files;
  if (!std::filesystem::exists(folder)) return files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) files[std::filesystem::relative(entry.path(), folder).string()] = checksum_of_file(entry.path());
  return files;
}

/// While it lives, no file of this process can grow beyond `bytes`: writing fails in the middle, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_{};
};

/// What `work` throws as E; fails the test when it throws nothing.
template <typename E, typename Work>
std::string message_of(Work work) {
  try {
    work();
  } catch (const E& error) {
    return error.what();
  }
  return "nothing was thrown";
}

}  // namespace duet::testing
