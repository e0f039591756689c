#include "base/text.h"

#include <gtest/gtest.h>

namespace duet {
namespace {

TEST(Text, WhatATerminalWouldActOnIsShownInstead) {
  EXPECT_EQ(printable("\x1b]0;owned\x07 chair\r\n"), "\\x1b]0;owned\\x07 chair\\x0d\\x0a");
  EXPECT_EQ(printable("C1: \xc2\x9b"
                      "2J"),
            "C1: \\xc2\\x9b2J");
  EXPECT_EQ(printable("\xe2\x80\xaegnp.exe"), "\\xe2\\x80\\xaegnp.exe") << "an override of the writing direction";
  EXPECT_EQ(printable("a\xe2\x80\xa8"
                      "b\xe2\x81\xa6"
                      "c"),
            "a\\xe2\\x80\\xa8b\\xe2\\x81\\xa6c");
  EXPECT_EQ(printable("\xff\xc0\xafx"), "\\xff\\xc0\\xafx") << "no UTF-8";
}

TEST(Text, NamesOfAllLanguagesStayAsTheyAre) {
  for (const char* name : {"Stühle/größe 3.png", "椅子_01", "كرسي", "🪑 x"}) EXPECT_EQ(printable(name), name);
}

TEST(Text, AWordIsCutAndATextKeepsItsLines) {
  EXPECT_EQ(printable("abcdef", 3), "abc…");
  EXPECT_EQ(printable_lines("one\ntwo \x1b[31mred\n"), "one\ntwo \\x1b[31mred\n");
}

}  // namespace
}  // namespace duet
