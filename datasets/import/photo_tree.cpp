#include "datasets/import/photo_tree.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error.h"

namespace duet {

PhotoTree::PhotoTree(const std::filesystem::path& root, Refused refused) : refused_(std::move(refused)) {
  std::error_code error;
  root_ = std::filesystem::canonical(root, error);
  if (error || !std::filesystem::is_directory(root_))
    throw InputMissing("{}: no such folder; name folders that hold photos.", root.string());
  enter("");
}

void PhotoTree::enter(const std::string& name) {
  Folder folder{.name = name, .files = {}, .folders = {}};
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(root_ / name, error); !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    const auto entry_name = entry->path().filename().string();
    std::error_code unknown;
    if (entry_name.starts_with('.')) continue;
    if (entry->is_symlink(unknown)) {
      if (entry->is_directory(unknown))
        refused_(name + entry_name, "link to a folder");
      else
        folder.files.push_back(entry_name);
    } else if (entry->is_directory(unknown)) {
      if (open_.size() < kMaxDepth)
        folder.folders.push_back(entry_name);
      else
        refused_(name + entry_name, "folders nested too deeply");
    } else if (entry->is_regular_file(unknown)) {
      folder.files.push_back(entry_name);
    } else {
      refused_(name + entry_name, "neither a file nor a folder");
    }
  }
  if (error) refused_(name.empty() ? "." : name, "folder cannot be read: " + error.message());
  std::sort(folder.files.begin(), folder.files.end());
  std::sort(folder.folders.begin(), folder.folders.end());
  open_.push_back(std::move(folder));
}

std::optional<PhotoTree::File> PhotoTree::resolve(const std::string& name) const {
  std::error_code error;
  auto path = std::filesystem::canonical(root_ / name, error);
  if (error || !std::filesystem::is_regular_file(path, error)) {
    refused_(name, "link that leads nowhere");
    return {};
  }
  const auto [end, unused] = std::mismatch(root_.begin(), root_.end(), path.begin(), path.end());
  if (end != root_.end()) {
    refused_(name, "link that leaves the folder");
    return {};
  }
  return File{std::move(path), name};
}

std::optional<PhotoTree::File> PhotoTree::next() {
  while (!open_.empty()) {
    auto& folder = open_.back();
    if (folder.file < folder.files.size()) {
      if (auto file = resolve(folder.name + folder.files[folder.file++])) return file;
    } else if (folder.folder < folder.folders.size()) {
      enter(folder.name + folder.folders[folder.folder++] + "/");
    } else {
      open_.pop_back();
    }
  }
  return {};
}

}  // namespace duet
