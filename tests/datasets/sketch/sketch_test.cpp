#include "datasets/sketch/sketch.h"

#include <gmock/gmock.h>

#include <limits>
#include <string>

#include "base/error.h"

namespace duet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string complaint(const Sketch& sketch) {
  try {
    check_sketch(sketch, "chair.store, sketch 7");
  } catch (const DataError& error) {
    return error.what();
  }
  return "";
}

TEST(CheckSketch, RefusesWhatCannotBeDrawnAndNamesTheSubject) {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinite = std::numeric_limits<double>::infinity();
  EXPECT_EQ(complaint({{-3, 300, 1}}), "");
  EXPECT_EQ(complaint({{-1e6, 1e6, 0}}), "");
  for (const auto& bad : {Sketch{}, Sketch{{nan, 0, 1}}, Sketch{{0, nan, 1}}, Sketch{{0, infinite, 1}}, Sketch{{-1.1e6, 0, 1}},
                          Sketch{{0, 0, 0.5}}, Sketch{{0, 0, nan}}, Sketch(kMaxSketchPoints + 1, {1, 1, 0})}) {
    EXPECT_THAT(complaint(bad), StartsWith("chair.store, sketch 7: "));
  }
  EXPECT_THAT(complaint({{1, 1, 0}, {nan, 2, 1}}), AllOf(HasSubstr("point 1"), HasSubstr("nan")));
}

}  // namespace
}  // namespace duet
