#include "cluster/ranks/coordinator.h"

#include <utility>

#include "base/error.h"
#include "cluster/run/stop_signal.h"
#include "monitoring/metrics/metrics.h"

namespace duet {
namespace {
constexpr const char* kSubject = "directive of rank 0";
}

Json to_json(const Directive& d) {
  return {{"phase", d.phase},
          {"stage", d.stage},
          {"steps", d.steps},
          {"evaluate", d.evaluate},
          {"checkpoint", d.checkpoint},
          {"samples", d.samples},
          {"stop", d.stop},
          {"adopt_generation", d.adopt_generation},
          {"stop_reason", d.stop_reason}};
}

Directive directive_from_json(const Json& json) {
  return {.phase = member<std::string>(json, "phase", kSubject),
          .stage = member<std::string>(json, "stage", kSubject),
          .steps = member<std::int64_t>(json, "steps", kSubject),
          .evaluate = member<bool>(json, "evaluate", kSubject),
          .checkpoint = member<bool>(json, "checkpoint", kSubject),
          .samples = member<bool>(json, "samples", kSubject),
          .stop = member<bool>(json, "stop", kSubject),
          .adopt_generation = member<std::int64_t>(json, "adopt_generation", kSubject),
          .stop_reason = member<std::string>(json, "stop_reason", kSubject)};
}

Json to_json(const ClusterState& state) {
  return {{"stop_requested", state.stop_requested},
          {"stop_reason", state.stop_reason},
          {"seconds", state.seconds},
          {"newest_generation", state.newest_generation}};
}

ClusterState cluster_state_from_json(const Json& json) {
  return {.stop_requested = member<bool>(json, "stop_requested", kSubject),
          .stop_reason = member<std::string>(json, "stop_reason", kSubject),
          .seconds = member<double>(json, "seconds", kSubject),
          .newest_generation = member<std::int64_t>(json, "newest_generation", kSubject)};
}

Coordinator::Coordinator(Communicator& control, DirectiveSource* source, std::function<std::int64_t()> newest_generation)
    : control_(control), source_(source), newest_generation_(std::move(newest_generation)) {
  DUET_CHECK(control_.rank() != 0 || source_, "rank 0 decides, so it needs a source of directives");
}

std::string agreed_stop_reason(Communicator& control) {
  for (auto& reason : control.all_gather_strings(stop_requested() ? stop_reason() : "")) {
    if (!reason.empty()) return reason;
  }
  return "";
}

Directive Coordinator::next() {
  const auto reason = agreed_stop_reason(control_);  // a signal may have reached some ranks only
  Json message;
  if (control_.rank() == 0) {
    metrics().gauge("duet_ranks_alive").set(control_.size());
    ClusterState state;
    state.seconds = clock_.seconds();
    state.stop_requested = !reason.empty();
    state.stop_reason = reason;
    try {
      if (newest_generation_) state.newest_generation = newest_generation_();
      message = {{"state", to_json(state)}, {"directive", to_json(source_->decide(state))}};
    } catch (const Error& error) {
      message = {{"error", error.what()}, {"status", static_cast<int>(error.status())}};
    }
  }
  auto text = json_text(message);  // an error may quote a file's bytes
  control_.broadcast_string(text, 0);
  message = parse_json(text, kSubject);
  if (message.contains("error")) {
    throw Error(static_cast<ExitStatus>(member<int>(message, "status", kSubject)), member<std::string>(message, "error", kSubject));
  }
  state_ = cluster_state_from_json(message.at("state"));
  return directive_from_json(message.at("directive"));
}

}  // namespace duet
