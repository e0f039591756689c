#include "monitoring/metrics/run_name.h"

#include <iterator>

#include "base/checksum.h"
#include "base/text.h"

namespace duet {
namespace {
constexpr std::size_t kLongest = 200;
}

std::string run_name(const std::filesystem::path& folder) {
  auto place = std::filesystem::absolute(folder).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // "x/"
  const auto below = place.relative_path();
  auto first = below.end();
  for (auto part = below.begin(); part != below.end(); ++part) {
    if (*part == "runs" && std::next(part) != below.end()) first = std::next(part);
  }
  if (first == below.end()) {
    for (int names = 0; names < 2 && first != below.begin(); ++names) --first;
  }
  std::filesystem::path name;
  for (; first != below.end(); ++first) name /= *first;
  if (name.empty()) return "/";
  const auto whole = name.string();
  if (const auto shown = printable(whole, kLongest); shown.size() <= kLongest && !shown.ends_with("…")) return shown;
  const auto digest = "#" + to_hex(checksum(bytes_of(whole)));
  return printable(whole, kLongest - digest.size() - 8) + digest;
}

}  // namespace duet
