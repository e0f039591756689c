#pragma once
#include <filesystem>
#include <string>
#include <vector>

namespace duet {

/// Where one rank's endpoint can be scraped.
struct ScrapeTarget {
  std::string host;     ///< its own name
  std::string address;  ///< "n1:9400", "127.0.0.1:40123"; empty: the rank has no endpoint
};

/// RUN/prometheus-targets.json, in the form of Prometheus' file_sd: an entry a host, with the labels host and, unless it is empty, job_id,
/// and __meta_duet_run, the run's name, for a rule of relabelling. Never run or rank, which the metrics themselves carry. Written atomically; a folder that cannot be written to is warned about.
void write_scrape_targets(const std::filesystem::path& run_folder, const std::vector<ScrapeTarget>& targets, const std::string& job_id);

/// The run has ended: Prometheus forgets its ranks. No error when there is no such file.
void remove_scrape_targets(const std::filesystem::path& run_folder);

}  // namespace duet
