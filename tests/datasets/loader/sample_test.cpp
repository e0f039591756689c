#include "datasets/loader/sample.h"

#include <gmock/gmock.h>

#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::HasSubstr;

TEST(Sample, NamesWhatCannotBeDrawn) {
  EXPECT_THAT(message_of<DataError>([] { raster_of({}, 64, false, "drawing 3"); }), HasSubstr("drawing 3"));
}

}  // namespace
}  // namespace duet
