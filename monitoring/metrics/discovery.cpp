#include "monitoring/metrics/discovery.h"

#include <map>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"

namespace duet {

void write_scrape_targets(const std::filesystem::path& file, const ScrapedRun& run, const std::vector<ScrapeTarget>& targets) {
  std::map<std::string, Json> addresses;  // by host
  for (const auto& target : targets) {
    if (!target.address.empty()) addresses[target.host].push_back(target.address);
  }
  Json content = Json::array();
  for (auto& [host, list] : addresses) {
    Json labels{{"host", host}, {"__meta_duet_run", run.name}};
    if (!run.job_id.empty()) labels["job_id"] = run.job_id;
    content.push_back({{"targets", std::move(list)}, {"labels", std::move(labels)}});
  }
  try {
    write_file_atomically(file, json_text(content, 2) + "\n");
  } catch (const Error& error) {
    warn("{} Prometheus will not find this run by itself.", error.what());
  }
}

void remove_scrape_targets(const std::filesystem::path& file) {
  std::error_code ignored;
  std::filesystem::remove(file, ignored);
}

}  // namespace duet
