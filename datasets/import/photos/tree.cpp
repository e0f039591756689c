#include "datasets/import/photos/tree.h"

#include <sys/stat.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/error.h"
#include "base/file.h"

namespace duet {

PhotoTree::PhotoTree(const std::filesystem::path& root, Links links, Wanted wanted) : links_(links), wanted_(std::move(wanted)) {
  std::error_code error;
  root_ = std::filesystem::canonical(root, error);
  if (error) throw InputMissing("{}: no such folder; name folders that hold photos.", root.string());
  if (!std::filesystem::is_directory(root_, error)) throw InputMissing("{}: is no folder; name folders that hold photos.", root.string());
  enter("");
}

bool PhotoTree::entered_before(const std::string& name) {
  struct stat status {};
  if (links_ == Links::inside || ::stat((root_ / name).c_str(), &status) != 0) return false;
  return !entered_.emplace(status.st_dev, status.st_ino).second;
}

void PhotoTree::enter(const std::string& name) {
  Folder folder{.name = name, .entries = {}, .folders = {}};
  if (entered_before(name)) {
    folder.entries.push_back({"", "folder that was searched before, by another name"});
    open_.push_back(std::move(folder));
    return;
  }
  std::error_code error;
  for (auto entry = std::filesystem::directory_iterator(root_ / name, error); !error && entry != std::filesystem::directory_iterator();
       entry.increment(error)) {
    const auto entry_name = entry->path().filename().string();
    std::error_code unknown;
    if (entry_name.starts_with('.')) continue;
    if (links_ == Links::inside && entry->is_symlink(unknown)) {
      folder.entries.push_back({entry_name, entry->is_directory(unknown) ? "link to a folder; --follow-links enters it" : ""});
    } else if (entry->is_directory(unknown)) {
      if (open_.size() < kMaxDepth)
        folder.folders.push_back(entry_name);
      else
        folder.entries.push_back({entry_name, "folders nested too deeply"});
    } else {
      const bool file_or_link = entry->is_symlink(unknown) || entry->is_regular_file(unknown);
      folder.entries.push_back({entry_name, file_or_link ? "" : "neither a file nor a folder"});
    }
  }
  if (error == std::errc::too_many_files_open || error == std::errc::too_many_files_open_in_system || error == std::errc::not_enough_memory)
    throw_cannot_read(root_ / name, error.value());  // says nothing of the folder, and all below it would be left out
  if (error) folder.entries.push_back({"", "folder cannot be read: " + error.message()});
  std::sort(folder.entries.begin(), folder.entries.end());
  std::sort(folder.folders.begin(), folder.folders.end());
  open_.push_back(std::move(folder));
}

PhotoTree::File PhotoTree::resolve(const std::string& name) const {
  std::error_code error;
  auto path = std::filesystem::canonical(root_ / name, error);
  if (error || !std::filesystem::is_regular_file(path, error)) return {{}, name, "link that leads nowhere"};
  if (links_ == Links::followed) return {std::move(path), name, {}};
  const auto [end, unused] = std::mismatch(root_.begin(), root_.end(), path.begin(), path.end());
  if (end != root_.end()) return {{}, name, "link that leaves the folder; --follow-links takes it"};
  return {std::move(path), name, {}};
}

std::optional<PhotoTree::File> PhotoTree::next() {
  while (!open_.empty()) {
    auto& folder = open_.back();
    if (folder.entry < folder.entries.size()) {
      const auto& entry = folder.entries[folder.entry++];
      auto name = folder.name + entry.name;
      if (wanted_ && !wanted_(name)) continue;
      if (!entry.refused.empty()) return File{{}, std::move(name), entry.refused};
      return resolve(name);
    }
    if (folder.folder < folder.folders.size()) {
      enter(folder.name + folder.folders[folder.folder++] + "/");
    } else {
      open_.pop_back();
    }
  }
  return {};
}

bool PhotoTree::comes_before(std::string_view name, std::string_view other) {
  // Where they part, one step of the way differs: a file, or a folder on the way down.
  const auto [end, unused] = std::mismatch(name.begin(), name.end(), other.begin(), other.end());
  const auto common = name.substr(0, static_cast<std::size_t>(end - name.begin()));
  const auto step = common.rfind('/') + 1;  // npos + 1 is 0
  name.remove_prefix(step);
  other.remove_prefix(step);
  const auto slash = name.find('/'), other_slash = other.find('/');
  const bool file = slash == std::string_view::npos, other_file = other_slash == std::string_view::npos;
  if (file != other_file) return file;
  return name.substr(0, slash) < other.substr(0, other_slash);
}

}  // namespace duet
