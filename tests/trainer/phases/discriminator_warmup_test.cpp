#include "trainer/phases/discriminator_warmup.h"

#include <gmock/gmock.h>

#include "tests/trainer/phases/tiny_state.h"

namespace duet {
namespace {

using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

TEST(DiscriminatorWarmup, TrainsTheDiscriminatorAlone) {
  TinyState run;
  run.state.phase(Stage::joint, PhaseName::discriminator_warmup);
  const auto before = run.files();
  EXPECT_THAT(quantities_of(run.steps(Stage::joint, PhaseName::discriminator_warmup, 2)),
              UnorderedElementsAre(Quantity::discriminator, Quantity::discriminator_gradient_norm, Quantity::discriminator_learning_rate));
  const auto after = run.files();
  for (const auto& [file, tensors] : before) {
    if (file == "discriminator.safetensors" || file == "optimiser-discriminator.safetensors") {
      EXPECT_THAT(changed(before, after, file), Not(IsEmpty())) << file;
    } else {
      EXPECT_THAT(changed(before, after, file), IsEmpty()) << file;
    }
  }
}

}  // namespace
}  // namespace duet
