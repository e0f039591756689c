#pragma once
#include <cstddef>
#include <string_view>

namespace duet {

/// What a training step can report of itself (trainer/phases/step_report.h). A new one is an enumerator here and a row in the table below,
/// at the same place.
enum class Quantity {
  total,
  labelled,
  pool,
  distillation,
  discriminator,
  reconstruction,
  divergence,
  learning_rate,
  discriminator_learning_rate,
  gradient_norm,
  discriminator_gradient_norm,
  certainty,
  certainty_p10,
  certainty_p50,
  certainty_p90,
  reward,
  teacher_distance,
  drawn_steps,
};

/// Which time series of its metric a quantity sets.
enum class QuantitySeries {
  of_run,
  of_stage,          ///< by phase and stage
  of_own_network,    ///< by phase and network: the one that the phase is about
  of_discriminator,  ///< by phase and network: D, where it is trained beside another
};

/// How much of it people see, besides metrics.jsonl and TensorBoard (all) and /metrics (what has a metric).
enum class QuantityShown {
  in_files,
  in_status,   ///< `duet status`
  everywhere,  ///< there, on the progress line, and in report.html
};

/// The gauge that a quantity sets; several may set series of one.
struct QuantityMetric {
  std::string_view name = {};  ///< empty: none
  QuantitySeries series = QuantitySeries::of_run;
  std::string_view help = {};
};

struct QuantityRow {
  Quantity quantity;
  std::string_view name;  ///< in metrics.jsonl and /status
  bool is_loss = false;   ///< stands under "loss" in metrics.jsonl, and in its phase's chart of losses in report.html
  QuantityShown shown = QuantityShown::in_files;
  QuantityMetric metric = {};
  std::string_view chart = {};  ///< what its own chart in report.html shows, when it is shown everywhere and no loss
};

namespace quantity_rows {
using enum Quantity;
using enum QuantitySeries;
using enum QuantityShown;
constexpr bool kLoss = true, kNoLoss = false;
constexpr QuantityMetric kRate{"duet_learning_rate", of_own_network, "Learning rate of the last step."};
constexpr QuantityMetric kNorm{"duet_gradient_norm", of_own_network, "Norm of the last step's gradient, before it was clipped."};

constexpr QuantityRow kRows[] = {
    {total, "total", kLoss, everywhere, {"duet_loss", of_stage, "Loss of the last step."}},
    {labelled, "labelled", kLoss, everywhere, {"duet_loss_labelled", of_stage, "Retrieval objective on labelled pairs."}},
    {pool, "pool", kLoss, everywhere, {"duet_loss_pool", of_stage, "Retrieval objective on pseudo pairs, weighted by certainty."}},
    {distillation,
     "distillation",
     kLoss,
     everywhere,
     {"duet_loss_distillation", of_stage, "Distance from the teacher's relative distances."}},
    {discriminator, "discriminator", kLoss, everywhere, {"duet_loss_discriminator", of_stage, "Adversarial loss of the discriminator."}},
    {reconstruction,
     "reconstruction",
     kLoss,
     everywhere,
     {"duet_loss_reconstruction", of_stage, "Negative log-likelihood of the drawings, a step."}},
    {divergence, "divergence", kLoss, everywhere, {"duet_loss_divergence", of_stage, "Divergence of the latent from its prior."}},
    {learning_rate, "learning_rate", kNoLoss, in_files, kRate},
    {discriminator_learning_rate, "discriminator_learning_rate", kNoLoss, in_files, {kRate.name, of_discriminator, kRate.help}},
    {gradient_norm, "gradient_norm", kNoLoss, in_status, kNorm},
    {discriminator_gradient_norm, "discriminator_gradient_norm", kNoLoss, in_files, {kNorm.name, of_discriminator, kNorm.help}},
    {certainty,
     "certainty",
     kNoLoss,
     everywhere,
     {"duet_certainty_mean", of_run, "Mean of the discriminator's certainty over the pseudo pairs of the last step."},
     "mean weight of the pseudo sketches"},
    {certainty_p10, "certainty_p10", kNoLoss, in_files, {"duet_certainty_p10", of_run, "Its first decile."}},
    {certainty_p50, "certainty_p50", kNoLoss, in_files, {"duet_certainty_p50", of_run, "Its median."}},
    {certainty_p90, "certainty_p90", kNoLoss, in_files, {"duet_certainty_p90", of_run, "Its last decile."}},
    {reward,
     "reward",
     kNoLoss,
     everywhere,
     {"duet_reward", of_run, "Mean reward of the drawings of the last policy step."},
     "mean of the generator's drawings"},
    {teacher_distance,
     "teacher_distance",
     kNoLoss,
     in_files,
     {"duet_teacher_distance", of_run, "Mean distance of sketch and photo under the frozen teacher."}},
    {drawn_steps, "drawn_steps", kNoLoss, in_files, {"duet_decode_steps", of_run, "Mean length of the last drawings, in offsets."}},
};
}  // namespace quantity_rows

/// The one table of quantities: metrics.jsonl, TensorBoard, /metrics with its catalogue, /status, the progress line, `duet status` and
/// report.html go by it. In the order of the enumerators, which is that of the catalogue.
inline constexpr auto& kQuantities = quantity_rows::kRows;

constexpr const QuantityRow& row_of(Quantity quantity) { return kQuantities[static_cast<std::size_t>(quantity)]; }

consteval bool quantities_are_in_order() {
  for (const auto& row : kQuantities) {
    if (row_of(row.quantity).name != row.name) return false;
  }
  return true;
}
static_assert(quantities_are_in_order(), "the rows of kQuantities must stand in the order of the enumerators of Quantity");

// Otherwise the table would promise what `duet status` and report.html do not keep: they show whatever stands under "loss".
consteval bool quantities_are_shown_as_said() {
  for (const auto& row : kQuantities) {
    const bool everywhere = row.shown == QuantityShown::everywhere;
    if ((row.is_loss && !everywhere) || row.chart.empty() == (everywhere && !row.is_loss)) return false;
  }
  return true;
}
static_assert(quantities_are_shown_as_said(), "a loss is shown everywhere, and what else is shown everywhere has a chart of its own");

}  // namespace duet
