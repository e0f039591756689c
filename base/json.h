#pragma once
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"

namespace duet {

/// Objects keep the order in which they were filled, so that files and listings read as they were written.
using Json = nlohmann::ordered_json;

/// Throws DataError naming `subject` (usually the file) with the position of the fault.
Json parse_json(const std::string& text, const std::string& subject);

/// Reads and parses; throws InputMissing or DataError naming the file.
Json read_json(const std::filesystem::path& file);

/// A member of an object from an untrusted file. Throws DataError naming `subject` and the key when it is absent or of another type.
template <typename T>
T member(const Json& object, const std::string& key, const std::string& subject) {
  if (!object.is_object() || !object.contains(key)) throw DataError("{}: '{}' is missing.", subject, key);
  try {
    return object.at(key).template get<T>();
  } catch (const nlohmann::json::exception&) {
    throw DataError("{}: '{}' has the wrong type.", subject, key);
  }
}

/// A number of a line that is shown to people, where an absent one, or one of another type, is no error: 0.
std::int64_t whole(const Json& object, const char* key);
double real(const Json& object, const char* key);

}  // namespace duet
