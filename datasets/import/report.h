#pragma once
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "base/json.h"

namespace duet {

/// What an import found and did: counts, what was left out or stood out and why, remarks. Keeps the first kShown items of each kind, so
/// that its memory does not grow with a source; every item left out also goes to the list file, if there is one, as it comes. One thread.
class ImportReport {
 public:
  static constexpr std::size_t kShown = 20;

  /// `list_file` empty: no list. Throws CannotCreate when it exists already or cannot be made.
  explicit ImportReport(const std::filesystem::path& list_file = {});

  /// Adds to a count; counts appear in the order of their first mention.
  void count(const std::string& what, std::int64_t number = 1);
  std::int64_t counted(const std::string& what) const;

  /// An item of the source that is not in the store. `item` and `detail` may come from an untrusted file.
  void leave_out(const std::string& reason, const std::string& item, const std::string& detail = {});
  /// An item that is in the store, but that somebody should know of.
  void point_out(const std::string& observation, const std::string& item);
  /// How many items were left out for a reason; all reasons with an empty one.
  std::int64_t left_out(const std::string& reason = {}) const;
  std::int64_t pointed_out(const std::string& observation = {}) const;

  /// A sentence.
  void remark(const std::string& sentence);

  /// Flushes the list file. Throws CannotWrite.
  void close();

  /// For people, several lines; and for programs:
  ///   {"counts": {what: n}, "left_out": {reason: {"count": n, "first": [{"item": …, "detail": …}]}}, "pointed_out": {…}, "remarks": […]}
  std::string text() const;
  Json json() const;

 private:
  struct Group {
    std::string name;
    std::int64_t count = 0;
    std::vector<std::pair<std::string, std::string>> first;  // item, detail
  };
  static void add(std::vector<Group>& groups, const std::string& name, const std::string& item, const std::string& detail);
  static std::int64_t total(const std::vector<Group>& groups, const std::string& name);

  std::vector<std::pair<std::string, std::int64_t>> counts_;
  std::vector<Group> left_out_, pointed_out_;
  std::vector<std::string> remarks_;
  std::filesystem::path list_file_;
  std::ofstream list_;
};

}  // namespace duet
