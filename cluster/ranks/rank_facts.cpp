#include "cluster/ranks/rank_facts.h"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

namespace duet {
namespace {

std::string node_of(const RankFacts& facts) { return facts.step && !facts.step->node.empty() ? facts.step->node : facts.host; }

// "rank 0", "ranks 0-3, 6"
std::string list_of(const std::vector<int>& ranks) {
  std::string text = ranks.size() == 1 ? "rank " : "ranks ";
  for (std::size_t first = 0; first < ranks.size();) {
    auto last = first;
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    text += fmt::format("{}{}", first == 0 ? "" : ", ", ranks[first]);
    if (last > first) text += fmt::format("{}{}", last == first + 1 ? ", " : "-", ranks[last]);
    first = last + 1;
  }
  return text;
}

// "ranks 0-3 on n1, n2"
std::string place_of(std::span<const RankFacts> all, const std::vector<int>& ranks) {
  std::vector<std::string> nodes;
  for (const int rank : ranks) {
    const auto node = node_of(all[static_cast<std::size_t>(rank)]);
    if (std::find(nodes.begin(), nodes.end(), node) == nodes.end()) nodes.push_back(node);
  }
  const bool long_list = nodes.size() > 4;
  if (long_list) nodes.resize(4);
  return fmt::format("{} on {}{}", list_of(ranks), fmt::join(nodes, ", "), long_list ? ", …" : "");
}

std::string count(int number, const char* what) { return fmt::format("{} {}{}", number, what, number == 1 ? "" : "s"); }

const char* advice_on(Alike::Kind kind) {
  switch (kind) {
    case Alike::Kind::program:
      return "let all hosts run one installation, from a shared folder or copied anew to each";
    case Alike::Kind::store:
      return "let all hosts see the same store: in a shared folder, or copied anew to each";
    case Alike::Kind::option:
      break;
  }
  return "give all ranks the same configuration: the same file, and no DUET_ variables that differ between hosts";
}

/// What does not fit: a subject, and what two or more sides say of it.
struct Mismatch {
  std::string subject;
  std::string one;
  std::vector<std::string> others;
  std::string advice;
};

class Comparison {
 public:
  explicit Comparison(std::span<const RankFacts> ranks) : ranks_(ranks) {}

  void compare_tasks() {
    constexpr auto kAdvice = "start the ranks with `srun --mpi=pmix` (or mpirun) of the Slurm and MPI that this program was built with";
    each_view(
        [](const RankFacts& facts) {
          const bool differs = facts.step && facts.step->starts_ranks && facts.step->tasks > 0 && facts.step->tasks != facts.size;
          return differs ? std::pair{count(facts.step->tasks, "task"), count(facts.size, "rank")} : kFits;
        },
        "number of ranks", "Slurm's step", kAdvice);
    each_view(
        [](const RankFacts& facts) {
          const bool differs = facts.step && facts.step->starts_ranks && facts.step->task != facts.rank;
          return differs ? std::pair{fmt::format("task {}", facts.step->task), fmt::format("rank {}", facts.rank)} : kFits;
        },
        "number of a rank", "SLURM_PROCID", kAdvice);
    each_view(
        [](const RankFacts& facts) {
          const auto& step = facts.step;
          const bool differs = step && step->starts_ranks && step->tasks_on_node > 0 && step->tasks_on_node != facts.local_size;
          return differs ? std::pair{count(step->tasks_on_node, "task"), count(facts.local_size, "rank")} : kFits;
        },
        "ranks of a node", "Slurm's step", kAdvice);
  }

  void compare_gpus() {
    std::map<std::string, std::vector<int>> on_node, with_gpu;
    std::vector<int> without;
    for (const auto& facts : ranks_) {
      if (!facts.uses_gpu) continue;
      on_node[node_of(facts)].push_back(facts.rank);
      if (!facts.gpu.empty()) with_gpu[facts.gpu].push_back(facts.rank);
      if (!facts.gpu_error.empty()) without.push_back(facts.rank);
    }
    for (const auto& [node, on] : on_node) {
      const auto& facts = at(on.front());
      const int gpus = facts.step ? facts.step->gpus_on_node : 0;
      const int count_of_ranks = static_cast<int>(on.size());
      if (gpus == 0 || gpus == count_of_ranks || (gpus < count_of_ranks && facts.may_share_gpu)) continue;
      add({.subject = "GPUs of " + node,
           .one = fmt::format("Slurm gives {}", count(gpus, "GPU")),
           .others = {fmt::format("{}, one GPU each", list_of(on))},
           .advice = "a rank uses one GPU: give as many tasks a node as GPUs (--ntasks-per-node=N --gpus-per-node=N)" +
                     std::string(gpus < count_of_ranks ? ", or cluster.backend=mpi, with which ranks may share one" : "")});
    }
    for (const auto& [gpu, sharing] : with_gpu) {
      if (sharing.size() < 2 || at(sharing.front()).may_share_gpu) continue;
      add({.subject = "GPU " + gpu,
           .one = place_of(ranks_, {sharing.front()}),
           .others = {place_of(ranks_, {sharing.begin() + 1, sharing.end()})},
           .advice = "give each rank a GPU of its own (fewer ranks a node, or --gpus-per-task=1 and --gpu-bind=none), or "
                     "cluster.backend=mpi, with which ranks may share one"});
    }
    if (without.empty()) return;
    const bool alone = rows_.empty();
    std::vector<int> with;
    for (const auto& facts : ranks_) {
      if (facts.gpu_error.empty()) with.push_back(facts.rank);
    }
    if (with.empty()) {
      // On all ranks the same reason needs no table.
      if (alone) throw RanksDiffer(ExitStatus::unavailable, at(without.front()).gpu_error);
      return;
    }
    only_unavailable_ = alone;
    std::map<std::string, std::vector<int>> reasons;
    for (const int rank : without) reasons[at(rank).gpu_error].push_back(rank);
    Mismatch row{.subject = "GPU", .one = fmt::format("found by {}", place_of(ranks_, with)), .others = {}, .advice = {}};
    for (const auto& [reason, of] : reasons) row.others.push_back(fmt::format("{}: {}", place_of(ranks_, of), reason));
    row.advice = "leave these hosts out (--exclude), or have their GPUs mended";
    add(std::move(row));
  }

  void compare_alike() {
    // In the order in which rank 0 names them; what only others have comes last.
    std::vector<std::pair<std::string, Alike::Kind>> names;
    for (const auto& facts : ranks_) {
      for (const auto& alike : facts.alike) {
        if (std::ranges::find(names, alike.name, &std::pair<std::string, Alike::Kind>::first) == names.end()) {
          names.emplace_back(alike.name, alike.kind);
        }
      }
    }
    for (const auto& [name, kind] : names) {
      std::vector<std::pair<std::string, std::vector<int>>> sides;
      for (const auto& facts : ranks_) {
        const auto entry = std::ranges::find(facts.alike, name, &Alike::name);
        const std::string value = entry == facts.alike.end() ? "not known" : entry->value.empty() ? "''" : entry->value;
        auto side = std::ranges::find(sides, value, &std::pair<std::string, std::vector<int>>::first);
        if (side == sides.end()) side = sides.insert(side, {value, {}});
        side->second.push_back(facts.rank);
      }
      if (sides.size() < 2) continue;
      Mismatch row{.subject = name, .one = side_text(sides.front()), .others = {}, .advice = advice_on(kind)};
      for (auto side = sides.begin() + 1; side != sides.end(); ++side) row.others.push_back(side_text(*side));
      add(std::move(row));
    }
  }

  void throw_if_any() const {
    if (rows_.empty()) return;
    std::size_t subject = 0, one = 0;
    for (const auto& row : rows_) {
      subject = std::max(subject, row.subject.size());
      one = std::max(one, row.one.size());
    }
    std::string text = "the ranks do not fit together; none of them trains.";
    std::vector<std::string> advice;
    for (const auto& row : rows_) {
      for (std::size_t i = 0; i < row.others.size(); ++i) {
        text += fmt::format("\n  {:<{}}  {:<{}}  {} {}", i == 0 ? row.subject : "", subject, i == 0 ? row.one : "", one, i == 0 ? "|" : " ",
                            row.others[i]);
      }
      if (std::find(advice.begin(), advice.end(), row.advice) == advice.end()) advice.push_back(row.advice);
    }
    for (const auto& line : advice) text += "\nWhat to do: " + line + ".";
    throw RanksDiffer(only_unavailable_ ? ExitStatus::unavailable : ExitStatus::usage, text);
  }

 private:
  using Views = std::pair<std::string, std::string>;
  static inline const Views kFits;

  const RankFacts& at(int rank) const { return ranks_[static_cast<std::size_t>(rank)]; }
  std::string side_text(const std::pair<std::string, std::vector<int>>& side) const {
    return fmt::format("{} ({})", side.first, place_of(ranks_, side.second));
  }
  void add(Mismatch row) { rows_.push_back(std::move(row)); }

  // `views_of`: what Slurm and what MPI says to a rank; kFits when they agree. One row for all ranks to which they say the same.
  template <typename ViewsOf>
  void each_view(const ViewsOf& views_of, const char* subject, const char* slurm, const char* advice) {
    std::map<Views, std::vector<int>> found;
    for (const auto& facts : ranks_) {
      if (const Views views = views_of(facts); views != kFits) found[views].push_back(facts.rank);
    }
    for (const auto& [views, of] : found) {
      add({.subject = subject,
           .one = fmt::format("{}: {}", slurm, views.first),
           .others = {fmt::format("MPI: {} ({})", views.second, place_of(ranks_, of))},
           .advice = advice});
    }
  }

  std::span<const RankFacts> ranks_;
  std::vector<Mismatch> rows_;
  bool only_unavailable_ = false;
};

}  // namespace

Json to_json(const RankFacts& facts) {
  Json json{{"rank", facts.rank}, {"size", facts.size},           {"local_size", facts.local_size},
            {"host", facts.host}, {"uses_gpu", facts.uses_gpu},   {"may_share_gpu", facts.may_share_gpu},
            {"gpu", facts.gpu},   {"gpu_error", facts.gpu_error}, {"alike", Json::array()}};
  for (const auto& alike : facts.alike) json["alike"].push_back(Json::array({static_cast<int>(alike.kind), alike.name, alike.value}));
  if (const auto& step = facts.step) {
    json["step"] =
        Json{{"starts_ranks", step->starts_ranks}, {"tasks", step->tasks}, {"task", step->task}, {"tasks_on_node", step->tasks_on_node},
             {"gpus_on_node", step->gpus_on_node}, {"node", step->node}};
  }
  return json;
}

RankFacts rank_facts_from_json(const Json& json) {
  const std::string subject = "a rank's facts";
  RankFacts facts{.rank = member<int>(json, "rank", subject),
                  .size = member<int>(json, "size", subject),
                  .local_size = member<int>(json, "local_size", subject),
                  .host = member<std::string>(json, "host", subject),
                  .step = std::nullopt,
                  .uses_gpu = member<bool>(json, "uses_gpu", subject),
                  .may_share_gpu = member<bool>(json, "may_share_gpu", subject),
                  .gpu = member<std::string>(json, "gpu", subject),
                  .gpu_error = member<std::string>(json, "gpu_error", subject),
                  .alike = {}};
  for (const auto& [kind, name, value] : member<std::vector<std::tuple<int, std::string, std::string>>>(json, "alike", subject)) {
    facts.alike.push_back({static_cast<Alike::Kind>(kind), name, value});
  }
  if (json.contains("step")) {
    const auto& step = json.at("step");
    facts.step = SlurmStep{.starts_ranks = member<bool>(step, "starts_ranks", subject),
                           .tasks = member<int>(step, "tasks", subject),
                           .task = member<int>(step, "task", subject),
                           .tasks_on_node = member<int>(step, "tasks_on_node", subject),
                           .gpus_on_node = member<int>(step, "gpus_on_node", subject),
                           .node = member<std::string>(step, "node", subject)};
  }
  return facts;
}

void require_fitting_ranks(std::span<const RankFacts> ranks) {
  Comparison comparison(ranks);
  comparison.compare_tasks();
  comparison.compare_alike();
  comparison.compare_gpus();
  comparison.throw_if_any();
}

std::string remark_on(std::span<const RankFacts> ranks) {
  int idle = 0;
  std::set<std::string> nodes;
  for (const auto& facts : ranks) {
    if (!facts.uses_gpu && facts.step && nodes.insert(node_of(facts)).second) idle += facts.step->gpus_on_node;
  }
  if (idle == 0) return "";
  return fmt::format("the job holds {} that nothing uses: run.device is cpu. Take --run.device cuda, or leave the GPUs to others.",
                     count(idle, "GPU"));
}

}  // namespace duet
