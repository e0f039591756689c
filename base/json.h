#pragma once
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/error.h"

namespace duet {

/// Objects keep the order in which they were filled, so that files and listings read as they were written.
using Json = nlohmann::ordered_json;

/// What JSON from a file may ask for. Parsing, copying and destroying nested values recurse; objects that keep their order search their
/// keys linearly; a value takes many times the bytes of its text.
struct JsonBounds {
  std::size_t depth = 64;
  std::size_t keys = 1024;  ///< of one object
  std::size_t values = 4'000'000;
};

/// Looks at the text before anything is made of it. Throws DataError naming `subject` and the bound that it exceeds.
void check_json_bounds(std::string_view text, const std::string& subject, const JsonBounds& bounds = {});

/// Throws DataError naming `subject` (usually the file) with the position of the fault, or the bound that the text exceeds. All JSON that
/// comes from outside of the program passes here.
Json parse_json(std::string_view text, const std::string& subject);

/// The same for a line of which there are many: a value that is_discarded() (and is no object) instead of an error.
Json parse_json_line(std::string_view line);

/// Reads and parses; throws as read_file() does, or DataError naming the file and, where it is of a kind that is known, what it is.
Json read_json(const std::filesystem::path& file, std::uint64_t limit_bytes = 64 << 20);

/// JSON text of any value, strings that are not UTF-8 (names of files, parts of them in messages) included: their bytes appear as U+FFFD.
/// nlohmann's own dump() throws at these. indent −1: on one line.
std::string json_text(const Json& json, int indent = -1);

/// A member of an object from an untrusted file. Throws DataError naming `subject` and the key when it is absent or of another type.
template <typename T>
T member(const Json& object, const std::string& key, const std::string& subject) {
  if (!object.is_object() || !object.contains(key)) throw DataError("{}: '{}' is missing.", subject, key);
  try {
    const auto& value = object.at(key);
    if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      // nlohmann converts between kinds of numbers without a look at their size.
      const bool fits = value.is_number_unsigned()  ? std::in_range<T>(value.template get<std::uint64_t>())
                        : value.is_number_integer() ? std::in_range<T>(value.template get<std::int64_t>())
                                                    : std::abs(value.template get<double>()) < 9e15;
      if (!fits) throw DataError("{}: '{}' is out of range.", subject, key);
    }
    return value.template get<T>();
  } catch (const nlohmann::json::exception&) {
    throw DataError("{}: '{}' has the wrong type.", subject, key);
  }
}

/// A number of a line that is shown to people, where an absent one, or one of another type, is no error: 0.
std::int64_t whole(const Json& object, const char* key);
double real(const Json& object, const char* key);

}  // namespace duet
