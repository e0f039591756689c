#include "base/choice.h"

#include <gmock/gmock.h>

namespace duet {
namespace {

DUET_CHOICE(Weather, auto_, sunny,  // a comment is no word
            light_rain);

TEST(Choice, WordsAreTheEnumeratorsNames) { EXPECT_THAT(words_of<Weather>(), testing::ElementsAre("auto", "sunny", "light_rain")); }

TEST(Choice, EachWordLeadsToItsEnumeratorAndBack) {
  for (const auto weather : {Weather::auto_, Weather::sunny, Weather::light_rain}) EXPECT_EQ(from_word<Weather>(to_word(weather)), weather);
  EXPECT_EQ(to_word(Weather::light_rain), "light_rain");
}

TEST(Choice, OtherWordsAreNone) {
  for (const char* word : {"", "auto_", "Sunny", "rain", "light_rain ", "sunny,light_rain"})
    EXPECT_EQ(from_word<Weather>(word), std::nullopt) << word;
}

}  // namespace
}  // namespace duet
