#include "datasets/import/report.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace duet {

ImportReport::ImportReport(const std::filesystem::path& list_file) : list_file_(list_file) {
  if (list_file_.empty()) return;
  if (std::filesystem::exists(std::filesystem::symlink_status(list_file_)))
    throw CannotCreate("{}: exists already; --list writes a new file.", list_file_.string());
  list_.open(list_file_, std::ios::binary);
  if (!list_) throw CannotCreate("{}: cannot be written.", list_file_.string());
}

void ImportReport::count(const std::string& what, std::int64_t number) {
  const auto found = std::find_if(counts_.begin(), counts_.end(), [&](const auto& entry) { return entry.first == what; });
  if (found == counts_.end())
    counts_.emplace_back(what, number);
  else
    found->second += number;
}

std::int64_t ImportReport::counted(const std::string& what) const {
  for (const auto& [name, number] : counts_)
    if (name == what) return number;
  return 0;
}

void ImportReport::add(std::vector<Group>& groups, const std::string& name, const std::string& item, const std::string& detail) {
  auto group = std::find_if(groups.begin(), groups.end(), [&](const Group& candidate) { return candidate.name == name; });
  if (group == groups.end()) group = groups.insert(groups.end(), Group{name, 0, {}});
  ++group->count;
  if (group->first.size() < kShown) group->first.emplace_back(item, detail);
}

std::int64_t ImportReport::total(const std::vector<Group>& groups, const std::string& name) {
  std::int64_t sum = 0;
  for (const auto& group : groups)
    if (name.empty() || group.name == name) sum += group.count;
  return sum;
}

void ImportReport::leave_out(const std::string& reason, const std::string& item, const std::string& detail) {
  const auto shown_item = printable(item, 1024), shown_detail = printable(detail, 1024);
  add(left_out_, reason, shown_item, shown_detail);
  if (list_.is_open()) list_ << reason << '\t' << shown_item << '\t' << shown_detail << '\n';
}

void ImportReport::point_out(const std::string& observation, const std::string& item) {
  add(pointed_out_, observation, printable(item, 1024), {});
}

std::int64_t ImportReport::left_out(const std::string& reason) const { return total(left_out_, reason); }
std::int64_t ImportReport::pointed_out(const std::string& observation) const { return total(pointed_out_, observation); }

void ImportReport::remark(const std::string& sentence) { remarks_.push_back(sentence); }

void ImportReport::close() {
  if (!list_.is_open()) return;
  list_.close();
  if (list_.fail())
    throw CannotWrite("{}: the list of what was left out could not be written whole; is the disk full?", list_file_.string());
}

std::string ImportReport::text() const {
  std::string out;
  for (const auto& [what, number] : counts_) out += fmt::format("{:>10}  {}\n", number, what);
  const auto list = [&](const std::vector<Group>& groups, const std::string& heading) {
    if (groups.empty()) return;
    out += fmt::format("{}:\n", heading);
    for (const auto& group : groups) {
      out += fmt::format("{:>10}  {}\n", group.count, group.name);
      for (const auto& [item, detail] : group.first) out += fmt::format("            {}{}{}\n", item, detail.empty() ? "" : ": ", detail);
      const auto more = group.count - static_cast<std::int64_t>(group.first.size());
      if (more > 0) out += fmt::format("            … and {} more\n", more);
    }
  };
  list(left_out_, "left out");
  list(pointed_out_, "in the store, to be aware of");
  for (const auto& sentence : remarks_) out += sentence + "\n";
  return out;
}

Json ImportReport::json() const {
  const auto list = [](const std::vector<Group>& groups) {
    Json object = Json::object();
    for (const auto& group : groups) {
      Json first = Json::array();
      for (const auto& [item, detail] : group.first) {
        Json entry = {{"item", item}};
        if (!detail.empty()) entry["detail"] = detail;
        first.push_back(entry);
      }
      object[group.name] = {{"count", group.count}, {"first", first}};
    }
    return object;
  };
  Json counts = Json::object();
  for (const auto& [what, number] : counts_) counts[what] = number;
  return {{"counts", counts}, {"left_out", list(left_out_)}, {"pointed_out", list(pointed_out_)}, {"remarks", remarks_}};
}

}  // namespace duet
