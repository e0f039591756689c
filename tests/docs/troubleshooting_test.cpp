#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <regex>
#include <sstream>

#include "base/file.h"

namespace duet {
namespace {

namespace fs = std::filesystem;

/// All texts in the source, those that stand behind each other put together as the compiler does.
std::vector<std::string> texts_of_source() {
  std::vector<std::string> texts;
  for (const char* room : {"base", "monitoring", "datasets", "cluster", "trainer", "launch"}) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(DUET_SOURCE_DIR) / room)) {
      const auto extension = entry.path().extension();
      if (extension != ".cpp" && extension != ".h") continue;
      const auto source = read_file(entry.path());
      bool joins = false;  // nothing but blanks since the last text
      for (std::size_t at = 0; at < source.size(); ++at) {
        if (source[at] == '"' && (at == 0 || source[at - 1] != '\'')) {
          std::string text;
          for (++at; at < source.size() && source[at] != '"' && source[at] != '\n'; ++at) {
            if (source[at] == '\\') ++at;
            text += source[at];
          }
          if (joins) {
            texts.back() += text;
          } else {
            texts.push_back(std::move(text));
          }
          joins = true;
        } else if (source[at] != ' ' && source[at] != '\n') {
          joins = false;
        }
      }
    }
  }
  return texts;
}

/// The fixed words of a message in the documentation, in their order: "of … records" is {"of", "records"}.
std::vector<std::string> fixed_words(const std::string& message) {
  std::vector<std::string> parts{""};
  for (std::size_t at = 0; at < message.size();) {
    if (message.compare(at, 3, "…") == 0) {
      parts.emplace_back();
      at += 3;
    } else {
      parts.back() += message[at++];
    }
  }
  const std::regex blanks("^ +| +$");
  for (auto& part : parts) part = std::regex_replace(part, blanks, "");
  return parts;
}

bool holds(const std::string& text, const std::vector<std::string>& parts) {
  std::size_t at = 0;
  for (const auto& part : parts) {
    at = text.find(part, at);
    if (at == std::string::npos) return false;
    at += part.size();
  }
  return true;
}

// A message that was reworded would be looked for in vain.
TEST(Troubleshooting, QuotesMessagesThatTheProgramStillPrints) {
  const auto texts = texts_of_source();
  std::istringstream page(read_file(fs::path(DUET_SOURCE_DIR) / "docs/troubleshooting.md"));
  const std::regex row("^\\| `([^`]+)` \\| .+ \\| .+ \\|$");
  int rows = 0;
  bool in_messages = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("## ")) in_messages = line == "## Messages";
    if (!in_messages || !line.starts_with("|") || line.starts_with("| message |") || line.starts_with("|---")) continue;
    std::smatch match;
    ASSERT_TRUE(std::regex_match(line, match, row)) << "not `message` | cause | what to do: " << line;
    ++rows;
    const auto parts = fixed_words(match[1]);
    EXPECT_TRUE(std::ranges::any_of(texts, [&](const auto& text) { return holds(text, parts); })) << match[1];
  }
  EXPECT_GT(rows, 50);
}

}  // namespace
}  // namespace duet
