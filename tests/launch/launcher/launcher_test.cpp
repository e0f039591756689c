#include "launch/launcher/launcher.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace duet {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

TEST(LauncherWords, AreTakenOutOfWhatRanksSay) {
  const std::string rule(74, '-');
  const auto all = "duet: one\n[node07:4711] [[1,0],0] ORTE_ERROR_LOG\n[1 of 2] [a:b] \n" + rule +
                   "\nmpirun noticed that process rank 3 with PID 0 on node n exited on signal 9 (Killed).\n" + rule +
                   "\n---\n\r\x1b[K 12 % " + rule + "\nmore\n" + rule + "\nduet: two\n 13 %";
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, all.size()}) {
    LauncherWords words;
    std::string shown;
    for (std::size_t at = 0; at < all.size(); at += step) shown += words.take(std::string_view(all).substr(at, step));
    EXPECT_EQ(shown, "duet: one\n[1 of 2] [a:b] \n---\n\r\x1b[K 12 % " + rule + "\nduet: two\n 13 %");
    EXPECT_THAT(words.text(), AllOf(HasSubstr("ORTE_ERROR_LOG"), HasSubstr("noticed"), HasSubstr("more"), Not(HasSubstr("duet"))));
    EXPECT_EQ(words.first_rank_to_end(), 3);
  }
}

TEST(LauncherWords, AreThoseBetweenTwoRulesOnly) {
  const std::string rule(40, '-');
  LauncherWords words;
  EXPECT_EQ(words.take("duet: a\n" + rule + "\nduet: b\n[n:1] c\n 5 %"), "duet: a\n");
  EXPECT_EQ(words.release(), rule + "\nduet: b\n[n:1] c\n 5 %");
  EXPECT_EQ(words.take(" 6 %\nduet: d\n"), " 6 %\nduet: d\n");
  EXPECT_EQ(words.text(), "");
  std::string many;
  for (int line = 0; line < 1000; ++line) many += fmt::format("duet: line {}\n", line);
  EXPECT_EQ(words.take(rule + "\n" + many) + words.release(), rule + "\n" + many);
  EXPECT_EQ(words.take(rule + "\nnoticed\n" + rule + "\n"), "");
  EXPECT_EQ(words.release(), "");
  EXPECT_EQ(words.text(), "noticed\n\n");
}

}  // namespace
}  // namespace duet
