#include "datasets/store/splits.h"

#include <gmock/gmock.h>

#include "tests/datasets/store/store_fixture.h"

namespace duet {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Splits, EveryThirdOfSortedIdsValidates) {
  EXPECT_THAT(assign_validation({"d", "a", "c", "b", "g", "e", "f"}),
              ElementsAre("validation", "validation", "train", "train", "validation", "train", "train"));
  EXPECT_THAT(assign_validation({}), ElementsAre());
  EXPECT_THAT(message_of<DataError>([] { assign_validation({"x", "y", "x"}); }), HasSubstr("'x' comes twice"));
}

}  // namespace
}  // namespace duet
