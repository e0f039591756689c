#include "base/json.h"

#include <vector>

#include "base/file.h"
#include "base/file_kind.h"
#include "base/text.h"

namespace duet {
namespace {

/// Which bound the text exceeds; "" when none. Up to the first fault of the text, strings and brackets are found where a parser finds them;
/// beyond it no parser goes.
std::string exceeded(std::string_view text, const JsonBounds& bounds) {
  std::vector<std::size_t> keys{0};  // of the objects that are open
  std::size_t values = 1;
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string) {
      if (c == '\\') ++i;
      in_string = c != '"';
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '{' || c == '[') {
      keys.push_back(0);
      if (keys.size() - 1 > bounds.depth) return fmt::format("is nested more than {} deep", bounds.depth);
    }
    if ((c == '}' || c == ']') && keys.size() > 1) keys.pop_back();
    if (c == ':' && ++keys.back() > bounds.keys) return fmt::format("has an object of more than {} keys", bounds.keys);
    if ((c == ',' || c == '{' || c == '[') && ++values > bounds.values) return fmt::format("holds more than {} values", bounds.values);
  }
  return {};
}

}  // namespace

void check_json_bounds(std::string_view text, const std::string& subject, const JsonBounds& bounds) {
  if (const auto what = exceeded(text, bounds); !what.empty()) throw DataError("{}: its JSON {}. Is it the right file?", subject, what);
}

Json parse_json(std::string_view text, const std::string& subject) {
  check_json_bounds(text, subject);
  try {
    return Json::parse(text);
  } catch (const nlohmann::json::exception& error) {
    throw DataError("{}: is not valid JSON: {}", subject, printable(error.what(), 300));
  }
}

Json parse_json_line(std::string_view line) {
  return exceeded(line, {}).empty() ? Json::parse(line, nullptr, /*allow_exceptions=*/false) : Json(Json::value_t::discarded);
}

std::string json_text(const Json& json, int indent) { return json.dump(indent, ' ', false, Json::error_handler_t::replace); }

Json read_json(const std::filesystem::path& file, std::uint64_t limit_bytes) {
  const auto text = read_file(file, limit_bytes);
  check_file_kind(file, {FileKind::json, FileKind::weight_index}, "It should hold JSON.");
  return parse_json(text, file.string());
}

std::int64_t whole(const Json& object, const char* key) {
  return object.contains(key) && object[key].is_number_integer() ? object[key].get<std::int64_t>() : 0;
}

double real(const Json& object, const char* key) { return object.contains(key) && object[key].is_number() ? object[key].get<double>() : 0; }

}  // namespace duet
