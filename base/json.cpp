#include "base/json.h"

#include "base/file.h"

namespace duet {

Json parse_json(const std::string& text, const std::string& subject) {
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw DataError("{}: is not valid JSON: {}", subject, error.what());
  }
}

Json read_json(const std::filesystem::path& file) { return parse_json(read_file(file), file.string()); }

std::int64_t whole(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_integer() ? object[key].get<std::int64_t>() : 0;
}

double real(const Json& object, const char* key) { return object.contains(key) && object[key].is_number() ? object[key].get<double>() : 0; }

}  // namespace duet
