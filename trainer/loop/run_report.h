#pragma once
#include "trainer/data/training_data.h"
#include "trainer/loop/run_state.h"

namespace duet {

/// RUN/report.html of a finished run: its results, curves, example queries of the held-out part (test where there is one, else validation),
/// and photos with what people and the generator drew of them. `best`: weights of the retrieval network to show queries of; empty: the
/// last ones. `results`: RUN/results.json. Collective; rank 0 writes.
/// False, after a warning, where rank 0 cannot make or write it: a picture of a run never costs the run its end. Where photos cannot be
/// read any more, the report says so and goes without its queries or drawings.
bool write_run_report(RunState& state, const Ranks& ranks, const OpenedData& data, const NamedTensors& best, const Json& results);

}  // namespace duet
