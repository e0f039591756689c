#pragma once
#include <cstdint>
#include <string>

#include "cluster/reducer/transport.h"
#include "datasets/sketch/offsets.h"
#include "datasets/sketch/simplify.h"
#include "trainer/choices.h"

namespace duet {

// What a training run is told: RunConfig, DataConfig and so on, a struct for each section of trainer/settings.def with its options as fields,
// and TrainingConfig, which holds one of each under the section's name.

// clang-format off
#define SECTION(Struct, section) struct Struct {
#define OPTION(Type, key, preset, takes, on_resume, help) Type key = preset;
#define END_SECTION };
// clang-format on
#include "trainer/settings.def"

struct TrainingConfig {
#define SECTION(Struct, section) Struct section;
#define OPTION(Type, key, preset, takes, on_resume, help)
#define END_SECTION
#include "trainer/settings.def"
};

}  // namespace duet
