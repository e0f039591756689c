#pragma once
#include "base/choice.h"

namespace duet {

// What the options of trainer/settings.def choose among; Chord, Placement and Transport belong to libraries below. A new word is one more
// enumerator: options read and list it, and the compiler names each switch that does not treat it.

DUET_CHOICE(DeviceKind, cpu, cuda);
DUET_CHOICE(Precision, float32, float64,
            bf16);  ///< autocast, on GPUs
DUET_CHOICE(Polarity, white_on_black, dark_on_white);
DUET_CHOICE(GradientCarrier,
            auto_,  ///< nccl where each rank has a GPU
            mpi, nccl);

DUET_CHOICE(Pooling, average, max);
/// How RGB in 0…1 is scaled for a backbone (trainer/models/weights.cpp has the numbers).
DUET_CHOICE(WeightsScaling,
            auto_,  ///< as the file of weights says, else by the backbone's habit
            imagenet, half, unit, caffe);
/// Which statistics a batch normalisation uses in training mode. In evaluation mode all use the running ones.
DUET_CHOICE(BatchNormMode,
            frozen,  ///< those of the loaded weights, never updated; scale and bias still train
            global,  ///< of the images of all ranks: N ranks compute what one would
            local);  ///< of this rank's images: cheaper, but the result depends on the number of ranks

DUET_CHOICE(Objective, triplet, infonce);
DUET_CHOICE(DiscriminatorNorm, batch, instance);
/// Of D's map of logits.
DUET_CHOICE(CertaintyScore,
            mean_sigmoid,   ///< mean over patches of the sigmoid
            sigmoid_mean);  ///< sigmoid of the mean logit
/// Of the difference of relative distances.
DUET_CHOICE(DistillationForm, absolute, squared);
DUET_CHOICE(PolicyNorm,
            max,    ///< the sum over a drawing is divided by generator.max_steps
            none);  ///< the literal sum
/// What is subtracted from the reward of the policy gradient.
DUET_CHOICE(Baseline,
            mean,    ///< of earlier rewards
            greedy,  ///< the reward of the greedy drawing of the same photo
            off);
/// What the variational term trains in the joint stage.
DUET_CHOICE(GeneratorScope, last_layer, all);

}  // namespace duet
