#pragma once
#include "tests/rank_world.h"
#include "tests/trainer/tiny_config.h"

namespace duet {

inline Ranks world_ranks() {
  auto& world = test_world();
  return {world.control(), world.gradients(), world.statistics(), world.data()};
}

/// A temporary folder that rank 0 makes, fills and removes, and all ranks see.
class SharedFolder {
 public:
  template <typename Fill>
  explicit SharedFolder(const Fill& fill) {
    auto& control = test_world().control();
    std::string path;
    if (control.rank() == 0) {
      folder_ = std::make_unique<TemporaryFolder>();
      fill(folder_->path());
      path = folder_->path();
    }
    control.broadcast_string(path, 0);
    path_ = path;
  }
  ~SharedFolder() { test_world().control().barrier(); }  // others may still read
  SharedFolder(const SharedFolder&) = delete;
  SharedFolder& operator=(const SharedFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::filesystem::path& name) const { return path_ / name; }

 private:
  std::unique_ptr<TemporaryFolder> folder_;
  std::filesystem::path path_;
};

using TinyData = TinyDataIn<SharedFolder>;

}  // namespace duet
