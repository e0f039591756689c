#pragma once
#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace duet {

/// Defines an enum class whose words, as people write and read them, are its enumerators' own names:
///   DUET_CHOICE(Pooling, average, max);
/// Enumerators count from 0, without numbers of their own. A word that C++ keeps for itself takes a '_' at its end: auto_ is "auto".
/// Text is for the border of the program (options, files, metrics, messages); inside, the enum travels.
#define DUET_CHOICE(Name, ...)                                             \
  enum class Name : int;                                                   \
  constexpr std::string_view enumerators_of(Name) { return #__VA_ARGS__; } \
  enum class Name : int { __VA_ARGS__ }

template <typename T>
concept Choice = std::is_enum_v<T> && requires(T choice) {
  enumerators_of(choice);
};

/// All words of a choice, in the order of its enumerators.
template <Choice T>
const std::vector<std::string>& words_of() {
  static const auto words = [] {
    std::vector<std::string> found;
    auto rest = enumerators_of(T{});
    while (!rest.empty()) {
      const auto end = std::min(rest.find(','), rest.size());
      auto word = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      word.remove_prefix(word.find_first_not_of(' '));
      word = word.substr(0, word.find_last_not_of("_ ") + 1);
      found.emplace_back(word);
    }
    return found;
  }();
  return words;
}

template <Choice T>
const std::string& to_word(T choice) {
  return words_of<T>().at(static_cast<std::size_t>(choice));
}

/// The choice of a word; nothing when it is none of words_of().
template <Choice T>
std::optional<T> from_word(std::string_view word) {
  const auto& words = words_of<T>();
  const auto found = std::ranges::find(words, word);
  if (found == words.end()) return std::nullopt;
  return static_cast<T>(found - words.begin());
}

}  // namespace duet
