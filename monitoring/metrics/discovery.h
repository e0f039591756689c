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

/// What all targets of a run belong to.
struct ScrapedRun {
  std::string name;    ///< as run_name() has it
  std::string job_id;  ///< empty: no job
};

/// A file in the form of Prometheus' file_sd: an entry a host, with the labels host and, unless it is empty, job_id, and __meta_duet_run,
/// the run's name, for a rule of relabelling. Never run or rank, which the metrics themselves carry. Written atomically; a folder that
/// cannot be written to is warned about.
void write_scrape_targets(const std::filesystem::path& file, const ScrapedRun& run, const std::vector<ScrapeTarget>& targets);

/// The run has ended: Prometheus forgets its ranks. No error when there is no such file.
void remove_scrape_targets(const std::filesystem::path& file);

}  // namespace duet
