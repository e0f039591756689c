#include "datasets/import/pickle.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <deque>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "datasets/import/utf8.h"

namespace duet {

namespace {

constexpr std::size_t kMaxDimensions = 8;

/// An element type of NumPy: kind 'f', 'i', 'u' (or 'U', text of four bytes a character).
struct ElementType {
  char kind = 0;
  std::int64_t bytes = 0;
  bool big_endian = false;
};

/// A NumPy array whose numbers still lie in the file (or, where the file keeps bytes as text, in Content::decoded).
struct Array {
  std::vector<std::int64_t> shape;
  ElementType type;
  bool column_major = false;
  std::string_view data;
};

/// The callables of the allow-list.
enum class Callable { reconstruct, frombuffer, scalar, ndarray, dtype, encode, bytes, bytearray };

struct Name {
  std::string_view module, name;
  Callable callable;
};

constexpr Name kAllowed[] = {
    {"numpy.core.multiarray", "_reconstruct", Callable::reconstruct},
    {"numpy._core.multiarray", "_reconstruct", Callable::reconstruct},
    {"numpy.core.numeric", "_frombuffer", Callable::frombuffer},
    {"numpy._core.numeric", "_frombuffer", Callable::frombuffer},
    {"numpy.core.multiarray", "scalar", Callable::scalar},
    {"numpy._core.multiarray", "scalar", Callable::scalar},
    {"numpy", "ndarray", Callable::ndarray},
    {"numpy", "dtype", Callable::dtype},
    {"_codecs", "encode", Callable::encode},
    {"builtins", "bytes", Callable::bytes},
    {"__builtin__", "bytes", Callable::bytes},
    {"builtins", "bytearray", Callable::bytearray},
    {"__builtin__", "bytearray", Callable::bytearray},
};

enum class Kind { none, boolean, integer, real, text, bytes, tuple, dictionary, callable, type, array };

const char* name_of(Kind kind) {
  constexpr const char* kNames[] = {"None",    "a truth value", "an integer", "a number",        "text",    "bytes",
                                    "a tuple", "a dictionary",  "a function", "an element type", "an array"};
  return kNames[static_cast<int>(kind)];
}

using Reference = std::uint32_t;

/// Objects refer to one another by number and are freed together: cycles and deep nesting are harmless. They live in a deque, so that a
/// reference to one outlives the making of others, and no call copies its arguments: a file could name the same million of them a million
/// times.
struct Object {
  Kind kind = Kind::none;
  std::int64_t number = 0;      ///< boolean, integer, callable; array: place in Content::arrays
  std::string_view characters;  ///< text (UTF-8) and bytes
  ElementType type;
  std::vector<Reference> items;  ///< tuple; dictionary: key, value, key, value …
};

/// What a file holds, for a message.
std::string shown(std::string_view text) { return "'" + printable(text, 80) + "'"; }

}  // namespace

struct PickledArrays::Content {
  std::string file;
  std::deque<std::string> decoded;  ///< what could not be used as it lies in the file; a deque, so that views stay valid
  std::deque<Array> arrays;
  std::vector<std::pair<std::string, std::size_t>> entries;  ///< key, place in arrays
};

namespace {

/// Runs one pickle. The stack, the memo and the objects go with it; arrays stay in `content`.
template <typename Content>
class Machine {
 public:
  Machine(Content& content, const std::string& subject, const PickleLimits& limits)
      : content_(content), bytes_(content.file), subject_(subject), limits_(limits) {}

  void run() {
    while (!step()) {
    }
    collect();
  }

 private:
  template <typename... Parts>
  [[noreturn]] void fail(fmt::format_string<Parts...> form, Parts&&... parts) const {
    throw DataError("{}: byte {}: {} Nothing in the file was executed.", subject_, instruction_,
                    fmt::format(form, std::forward<Parts>(parts)...));
  }

  // --- reading ---

  std::string_view take(std::uint64_t count) {
    if (count > bytes_.size() - position_)
      fail("{} bytes are announced, {} are left; the file is cut short or damaged.", count, bytes_.size() - position_);
    const auto part = bytes_.substr(position_, count);
    position_ += count;
    return part;
  }

  std::uint64_t take_unsigned(int width) {
    const auto part = take(width);
    std::uint64_t value = 0;
    for (int i = 0; i < width; ++i) value |= std::uint64_t{static_cast<unsigned char>(part[i])} << (8 * i);
    return value;
  }

  /// Up to a line break, which is consumed.
  std::string_view take_line() {
    const auto end = bytes_.find('\n', position_);
    if (end == std::string_view::npos) fail("a line without end; the file is cut short or damaged.");
    const auto line = bytes_.substr(position_, end - position_);
    position_ = end + 1;
    return line;
  }

  std::int64_t to_integer(std::string_view digits) const {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (error != std::errc() || end != digits.data() + digits.size()) fail("{} is no integer.", shown(digits));
    return value;
  }

  /// Little-endian two's complement of any width up to 8.
  std::int64_t take_long(std::uint64_t width) {
    if (width > 8) fail("an integer of {} bytes.", width);
    std::uint64_t value = take_unsigned(static_cast<int>(width));
    if (width > 0 && width < 8 && (value >> (8 * width - 1)) & 1) value |= ~std::uint64_t{0} << (8 * width);
    return static_cast<std::int64_t>(value);
  }

  /// Keeps a string made from the file's. A pickle may ask for the same text to be decoded over and over; an honest one decodes each once.
  std::string_view keep(std::string text) {
    decoded_bytes_ += text.size();
    if (decoded_bytes_ > 4 * bytes_.size()) fail("its strings decode to more than four times the size of the file.");
    return content_.decoded.emplace_back(std::move(text));
  }

  /// Python's raw-unicode-escape: Latin-1 with \uXXXX and \UXXXXXXXX.
  std::string_view unescape_text(std::string_view line) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      const bool escape = line[i] == '\\' && i + 1 < line.size() && (line[i + 1] == 'u' || line[i + 1] == 'U');
      std::uint32_t code = static_cast<unsigned char>(line[i]);
      if (escape) {
        const std::size_t digits = line[i + 1] == 'u' ? 4 : 8;
        const auto part = line.substr(i + 2, digits);
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
        if (part.size() < digits || error != std::errc() || end != part.data() + part.size()) fail("a damaged \\u in text.");
        i += 1 + digits;
      }
      if (!append_utf8(code, out)) fail("text holds U+{:X}, which is no character.", code);
    }
    return keep(std::move(out));
  }

  /// A Python 2 string as repr() prints it, quotes included.
  std::string_view unescape_bytes(std::string_view line) {
    if (line.size() < 2 || line.front() != line.back() || (line.front() != '\'' && line.front() != '"')) fail("a string without quotes.");
    line = line.substr(1, line.size() - 2);
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (line[i] != '\\') {
        out += line[i];
        continue;
      }
      if (++i == line.size()) fail("a string ends in a backslash.");
      constexpr std::string_view kLetters = "\\'\"nrtabfv", kMeanings = "\\'\"\n\r\t\a\b\f\v";
      if (const auto at = kLetters.find(line[i]); at != std::string_view::npos) {
        out += kMeanings[at];
      } else if (line[i] == 'x') {
        unsigned code = 0;
        const auto part = line.substr(i + 1, 2);
        const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), code, 16);
        if (part.size() < 2 || error != std::errc() || end != part.data() + 2) fail("a damaged \\x in a string.");
        out += static_cast<char>(code);
        i += 2;
      } else {
        fail("a string holds the escape {}.", shown(line.substr(i - 1, 2)));
      }
    }
    return keep(std::move(out));
  }

  // --- objects, stack, memo ---

  Reference make(Kind kind) {
    if (static_cast<std::int64_t>(objects_.size()) >= limits_.objects) fail("more than {} objects.", limits_.objects);
    objects_.emplace_back().kind = kind;
    return static_cast<Reference>(objects_.size() - 1);
  }

  void push(Reference object) {
    if (static_cast<std::int64_t>(stack_.size()) >= limits_.stack_items) fail("more than {} things on its stack.", limits_.stack_items);
    stack_.push_back(object);
  }

  void push_number(Kind kind, std::int64_t number) {
    const auto object = make(kind);
    objects_[object].number = number;
    push(object);
  }

  void push_characters(Kind kind, std::string_view characters) {
    const auto object = make(kind);
    objects_[object].characters = characters;
    push(object);
  }

  void push_text(std::string_view text) {
    if (!is_utf8(text)) fail("text that is not UTF-8: {}.", shown(text));
    push_characters(Kind::text, text);
  }

  /// Things below the newest mark stay out of reach until that mark is gone.
  Reference pop() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) fail("its stack is empty where something is expected.");
    const auto object = stack_.back();
    stack_.pop_back();
    return object;
  }

  Reference top() {
    const auto object = pop();
    stack_.push_back(object);
    return object;
  }

  std::vector<Reference> pop_to_mark() {
    if (marks_.empty()) fail("no mark on its stack.");
    std::vector<Reference> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  void remember(std::uint64_t place) { memo_[place] = top(); }

  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) fail("memo {} is empty.", place);
    push(found->second);
  }

  void push_tuple(std::vector<Reference> items) {
    const auto object = make(Kind::tuple);
    objects_[object].items = std::move(items);
    push(object);
  }

  void push_short_tuple(int count) {
    std::vector<Reference> items(count);
    for (int i = count; i-- > 0;) items[i] = pop();
    push_tuple(std::move(items));
  }

  const Object& expect(Reference reference, Kind kind, const char* what) const {
    const auto& object = objects_[reference];
    if (object.kind != kind) fail("{} is {}, not {}.", what, name_of(object.kind), name_of(kind));
    return object;
  }

  const Object& argument(const Object& tuple, std::size_t index, Kind kind, const char* what) const {
    if (index >= tuple.items.size()) fail("{} is missing.", what);
    return expect(tuple.items[index], kind, what);
  }

  void add_items(const std::vector<Reference>& items) {
    const auto target = top();
    expect(target, Kind::dictionary, "what entries are added to");
    if (items.size() % 2 != 0) fail("a key without value.");
    auto& entries = objects_[target].items;
    entries.insert(entries.end(), items.begin(), items.end());
  }

  // --- names and calls ---

  void push_callable(std::string_view module, std::string_view name) {
    for (const auto& allowed : kAllowed) {
      if (allowed.module != module || allowed.name != name) continue;
      push_number(Kind::callable, static_cast<std::int64_t>(allowed.callable));
      return;
    }
    fail("it names {}, which a dictionary of arrays has no use for; such a file can be made to run programs when Python loads it.",
         shown(fmt::format("{}.{}", module, name)));
  }

  ElementType parse_type(std::string_view text) const {
    ElementType type;
    std::string_view rest = text;
    if (!rest.empty() && std::string_view("<>=|").find(rest.front()) != std::string_view::npos) {
      type.big_endian = rest.front() == '>';
      rest.remove_prefix(1);
    }
    if (rest.size() < 2) fail("arrays of type {} are not read.", shown(text));
    type.kind = rest.front();
    type.bytes = to_integer(rest.substr(1));
    if (type.kind == 'U' && type.bytes > 0 && type.bytes <= 1'000'000) {
      type.bytes *= 4;
      return type;
    }
    const bool real = type.kind == 'f' && (type.bytes == 4 || type.bytes == 8);
    const bool whole = (type.kind == 'i' || type.kind == 'u') && (type.bytes == 1 || type.bytes == 2 || type.bytes == 4 || type.bytes == 8);
    if (!real && !whole) fail("arrays of type {} are not read; float32, float64 and integers are.", shown(text));
    return type;
  }

  std::vector<std::int64_t> parse_shape(const Object& tuple) const {
    std::vector<std::int64_t> shape;
    std::int64_t count = 1;
    if (tuple.items.size() > kMaxDimensions) fail("an array of {} dimensions.", tuple.items.size());
    for (const auto item : tuple.items) {
      const auto length = expect(item, Kind::integer, "a length in an array's shape").number;
      if (length < 0) fail("an array of length {}.", length);
      if (length > 0 && count > limits_.array_values / length) fail("an array of more than {} values.", limits_.array_values);
      count *= length;
      shape.push_back(length);
    }
    return shape;
  }

  void fill(Array& array, const Object& type, const Object& shape, std::string_view data) const {
    array.type = type.type;
    if (array.type.kind == 'U') fail("arrays of text are not read.");
    array.shape = parse_shape(shape);
    std::int64_t count = 1;
    for (const auto length : array.shape) count *= length;
    if (static_cast<std::uint64_t>(count * array.type.bytes) != data.size())
      fail("an array's shape needs {} bytes, it has {}.", count * array.type.bytes, data.size());
    array.data = data;
  }

  void push_array(Array array) {
    content_.arrays.push_back(std::move(array));
    push_number(Kind::array, static_cast<std::int64_t>(content_.arrays.size()) - 1);
  }

  void push_scalar(const Object& type, std::string_view data) {
    if (type.type.kind != 'U') {
      Array array;
      Object no_dimensions;
      no_dimensions.kind = Kind::tuple;
      fill(array, type, no_dimensions, data);
      return push_array(std::move(array));
    }
    std::string text;
    for (std::size_t at = 0; at + 4 <= data.size(); at += 4) {
      std::uint32_t code = 0;
      for (int i = 0; i < 4; ++i)
        code |= std::uint32_t{static_cast<unsigned char>(data[at + (type.type.big_endian ? 3 - i : i)])} << (8 * i);
      if (code == 0) break;
      if (!append_utf8(code, text)) fail("text holds U+{:X}, which is no character.", code);
    }
    push_text(keep(std::move(text)));
  }

  void call() {
    const auto argument_tuple = pop();
    const auto function = pop();
    const auto callable = static_cast<Callable>(expect(function, Kind::callable, "what is called").number);
    const Object& arguments = expect(argument_tuple, Kind::tuple, "the arguments of a call");
    switch (callable) {
      case Callable::reconstruct:
        if (argument(arguments, 0, Kind::callable, "the type of an array").number != static_cast<std::int64_t>(Callable::ndarray))
          fail("an array of another type than numpy.ndarray.");
        return push_array({});
      case Callable::frombuffer: {
        Array array;
        fill(array, argument(arguments, 1, Kind::type, "an array's element type"), argument(arguments, 2, Kind::tuple, "an array's shape"),
             argument(arguments, 0, Kind::bytes, "an array's data").characters);
        const auto order = argument(arguments, 3, Kind::text, "an array's order").characters;
        if (order != "C" && order != "F") fail("an array in order {}.", shown(order));
        array.column_major = order == "F";
        return push_array(std::move(array));
      }
      case Callable::scalar:
        return push_scalar(argument(arguments, 0, Kind::type, "a number's type"),
                           argument(arguments, 1, Kind::bytes, "a number's data").characters);
      case Callable::dtype: {
        if (arguments.items.empty()) fail("an element type without a name.");
        const auto& name = objects_[arguments.items[0]];
        if (name.kind != Kind::text && name.kind != Kind::bytes) fail("an element type's name is {}.", name_of(name.kind));
        const auto type = parse_type(name.characters);
        const auto object = make(Kind::type);
        objects_[object].type = type;
        return push(object);
      }
      case Callable::encode: {
        const auto text = argument(arguments, 0, Kind::text, "what is encoded").characters;
        const auto encoding = argument(arguments, 1, Kind::text, "an encoding").characters;
        if (encoding != "latin1" && encoding != "latin-1") fail("the encoding {}.", shown(encoding));
        std::string bytes;
        for (std::size_t at = 0; at < text.size();) {
          const auto code = next_utf8(text, at);
          if (code > 255) fail("bytes kept as text hold U+{:X}.", code);
          bytes += static_cast<char>(code);
        }
        return push_characters(Kind::bytes, keep(std::move(bytes)));
      }
      case Callable::bytes:
      case Callable::bytearray:
        if (arguments.items.empty()) return push_characters(Kind::bytes, {});
        return push_characters(Kind::bytes, argument(arguments, 0, Kind::bytes, "the content of bytes").characters);
      case Callable::ndarray:
        break;
    }
    fail("it calls something that is only ever named.");
  }

  /// Gives an array or an element type its state.
  void build() {
    const auto state_tuple = pop();
    const auto target = top();
    const Object& state = expect(state_tuple, Kind::tuple, "a state");
    if (objects_[target].kind == Kind::type) {
      if (state.items.size() < 2) fail("an element type's state has {} parts.", state.items.size());
      const auto& order = objects_[state.items[1]];
      if ((order.kind != Kind::text && order.kind != Kind::bytes) || order.characters.size() != 1 ||
          std::string_view("<>=|").find(order.characters[0]) == std::string_view::npos)
        fail("an element type's byte order is unknown.");
      // '=' is the byte order of the machine that wrote it; every machine that runs this program is little-endian.
      objects_[target].type.big_endian = order.characters[0] == '>';
      return;
    }
    auto& array = content_.arrays[static_cast<std::size_t>(expect(target, Kind::array, "what gets a state").number)];
    if (array.type.kind != 0) fail("an array gets its state twice.");
    argument(state, 0, Kind::integer, "the version of an array's state");
    const auto column_major = argument_flag(state, 3);
    fill(array, argument(state, 2, Kind::type, "an array's element type"), argument(state, 1, Kind::tuple, "an array's shape"),
         argument(state, 4, Kind::bytes, "an array's data").characters);
    array.column_major = column_major;
  }

  bool argument_flag(const Object& tuple, std::size_t index) const {
    if (index >= tuple.items.size()) fail("an array's order is missing.");
    const auto& flag = objects_[tuple.items[index]];
    if (flag.kind != Kind::boolean && flag.kind != Kind::integer) fail("an array's order is {}.", name_of(flag.kind));
    return flag.number != 0;
  }

  // --- the instructions ---

  /// One instruction; true after the last.
  bool step() {
    instruction_ = position_;
    const auto code = static_cast<unsigned char>(take(1)[0]);
    switch (code) {
      case 0x80:  // PROTO
        if (const auto protocol = take_unsigned(1); protocol > 5) fail("pickle protocol {}; 0 to 5 are read.", protocol);
        return false;
      case 0x95:  // FRAME: says how much may be read at once, which this reader does not need
        if (const auto length = take_unsigned(8); length > bytes_.size() - position_) fail("a frame goes beyond the end of the file.");
        return false;
      case '.':
        return true;
      case '(':
        if (static_cast<std::int64_t>(marks_.size()) >= limits_.open_marks) fail("nested more than {} deep.", limits_.open_marks);
        marks_.push_back(stack_.size());
        return false;
      case '0':
        pop();
        return false;

      case 'N':
        push(make(Kind::none));
        return false;
      case 0x88:
        push_number(Kind::boolean, 1);
        return false;
      case 0x89:
        push_number(Kind::boolean, 0);
        return false;
      case 'J':
        push_number(Kind::integer, static_cast<std::int32_t>(take_unsigned(4)));
        return false;
      case 'K':
        push_number(Kind::integer, static_cast<std::int64_t>(take_unsigned(1)));
        return false;
      case 'M':
        push_number(Kind::integer, static_cast<std::int64_t>(take_unsigned(2)));
        return false;
      case 0x8a:
        push_number(Kind::integer, take_long(take_unsigned(1)));
        return false;
      case 0x8b:
        push_number(Kind::integer, take_long(take_unsigned(4)));
        return false;
      case 'I': {
        const auto line = take_line();
        if (line == "00" || line == "01")
          push_number(Kind::boolean, line == "01");
        else
          push_number(Kind::integer, to_integer(line));
        return false;
      }
      case 'L': {
        auto line = take_line();
        if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
        push_number(Kind::integer, to_integer(line));
        return false;
      }
      case 'F':
        take_line();
        push(make(Kind::real));
        return false;  // no part of an array: only its kind matters, for messages
      case 'G':
        take(8);
        push(make(Kind::real));
        return false;

      case 'V':
        push_text(unescape_text(take_line()));
        return false;
      case 'X':
        push_text(take(take_unsigned(4)));
        return false;
      case 0x8c:
        push_text(take(take_unsigned(1)));
        return false;
      case 0x8d:
        push_text(take(take_unsigned(8)));
        return false;
      case 'S':
        push_characters(Kind::bytes, unescape_bytes(take_line()));
        return false;
      case 'T':
      case 'B':
        push_characters(Kind::bytes, take(take_unsigned(4)));
        return false;
      case 'U':
      case 'C':
        push_characters(Kind::bytes, take(take_unsigned(1)));
        return false;
      case 0x8e:
      case 0x96:
        push_characters(Kind::bytes, take(take_unsigned(8)));
        return false;

      case ')':
        push(make(Kind::tuple));
        return false;
      case 't':
        push_tuple(pop_to_mark());
        return false;
      case 0x85:
        push_short_tuple(1);
        return false;
      case 0x86:
        push_short_tuple(2);
        return false;
      case 0x87:
        push_short_tuple(3);
        return false;
      case '}':
        push(make(Kind::dictionary));
        return false;
      case 'd': {
        auto items = pop_to_mark();
        push(make(Kind::dictionary));
        add_items(items);
        return false;
      }
      case 's': {
        const auto value = pop();
        const auto key = pop();
        add_items({key, value});
        return false;
      }
      case 'u':
        add_items(pop_to_mark());
        return false;

      case 'p':
        remember(static_cast<std::uint64_t>(to_integer(take_line())));
        return false;
      case 'q':
        remember(take_unsigned(1));
        return false;
      case 'r':
        remember(take_unsigned(4));
        return false;
      case 0x94:
        remember(memo_.size());
        return false;
      case 'g':
        recall(static_cast<std::uint64_t>(to_integer(take_line())));
        return false;
      case 'h':
        recall(take_unsigned(1));
        return false;
      case 'j':
        recall(take_unsigned(4));
        return false;

      case 'c': {
        const auto module = take_line();
        const auto name = take_line();
        push_callable(module, name);
        return false;
      }
      case 0x93: {
        const auto name = pop();
        const auto module = pop();
        push_callable(expect(module, Kind::text, "a module's name").characters, expect(name, Kind::text, "a name").characters);
        return false;
      }
      case 'R':
        call();
        return false;
      case 'b':
        build();
        return false;
      default:
        break;
    }
    fail("instruction 0x{:02x}, which a dictionary of arrays has no use for.", code);
  }

  /// The dictionary left on the stack becomes the content.
  void collect() {
    const auto& dictionary = expect(pop(), Kind::dictionary, "what the file holds");
    std::unordered_set<std::string_view> keys;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < dictionary.items.size(); i += 2) {
      const auto& key = objects_[dictionary.items[i]];
      if (key.kind != Kind::text && key.kind != Kind::bytes) fail("a key is {}, not text.", name_of(key.kind));
      if (!is_utf8(key.characters) || key.characters.find('\0') != std::string_view::npos)
        fail("the key {} is no proper text.", shown(key.characters));
      if (!keys.insert(key.characters).second) fail("the key {} stands there twice.", shown(key.characters));
      const auto& value = objects_[dictionary.items[i + 1]];
      if (value.kind != Kind::array) fail("the value of {} is {}, not an array.", shown(key.characters), name_of(value.kind));
      const auto& array = content_.arrays[static_cast<std::size_t>(value.number)];
      if (array.type.kind == 0) fail("the array of {} has no content.", shown(key.characters));
      total += array.data.size() / static_cast<std::uint64_t>(array.type.bytes);
      if (total > limits_.total_values) fail("its arrays hold more than {} values.", limits_.total_values);
      content_.entries.emplace_back(std::string(key.characters), static_cast<std::size_t>(value.number));
    }
  }

  Content& content_;
  std::string_view bytes_;
  std::string subject_;
  PickleLimits limits_;
  std::size_t position_ = 0;
  std::size_t instruction_ = 0;
  std::uint64_t decoded_bytes_ = 0;
  std::deque<Object> objects_;
  std::vector<Reference> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Reference> memo_;
};

double element(const ElementType& type, const char* data) {
  std::uint64_t bits = 0;
  for (std::int64_t i = 0; i < type.bytes; ++i)
    bits |= std::uint64_t{static_cast<unsigned char>(data[type.big_endian ? type.bytes - 1 - i : i])} << (8 * i);
  if (type.kind == 'f') {
    return type.bytes == 8 ? std::bit_cast<double>(bits) : static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
  }
  if (type.kind == 'u') return static_cast<double>(bits);
  const int unused = 64 - 8 * static_cast<int>(type.bytes);
  return static_cast<double>(static_cast<std::int64_t>(bits << unused) >> unused);
}

}  // namespace

PickledArrays::PickledArrays(std::unique_ptr<Content> content) : content_(std::move(content)) {}
PickledArrays::PickledArrays(PickledArrays&&) noexcept = default;
PickledArrays& PickledArrays::operator=(PickledArrays&&) noexcept = default;
PickledArrays::~PickledArrays() = default;

PickledArrays PickledArrays::read(const std::filesystem::path& file, const PickleLimits& limits) {
  return parse(read_file(file, limits.file_bytes), file.string(), limits);
}

PickledArrays PickledArrays::parse(std::string bytes, const std::string& subject, const PickleLimits& limits) {
  if (bytes.size() > limits.file_bytes) throw DataError("{}: larger than {} bytes.", subject, limits.file_bytes);
  auto content = std::make_unique<Content>();
  content->file = std::move(bytes);
  Machine<Content>(*content, subject, limits).run();
  return PickledArrays(std::move(content));
}

std::int64_t PickledArrays::size() const { return static_cast<std::int64_t>(content_->entries.size()); }

const std::string& PickledArrays::key(std::int64_t index) const { return content_->entries.at(static_cast<std::size_t>(index)).first; }

const std::vector<std::int64_t>& PickledArrays::shape(std::int64_t index) const {
  return content_->arrays[content_->entries.at(static_cast<std::size_t>(index)).second].shape;
}

std::vector<double> PickledArrays::values(std::int64_t index) const {
  const auto& array = content_->arrays[content_->entries.at(static_cast<std::size_t>(index)).second];
  const auto count = static_cast<std::int64_t>(array.data.size()) / array.type.bytes;
  std::vector<double> values(static_cast<std::size_t>(count));
  // Walks C order; `offset` follows with the strides that the file's order has.
  std::array<std::int64_t, kMaxDimensions> stride{}, place{};
  const int dimensions = static_cast<int>(array.shape.size());
  std::int64_t step = 1;
  for (int k = 0; k < dimensions; ++k) {
    const int dimension = array.column_major ? k : dimensions - 1 - k;
    stride[dimension] = step;
    step *= array.shape[dimension];
  }
  for (auto& value : values) {
    std::int64_t offset = 0;
    for (int k = 0; k < dimensions; ++k) offset += place[k] * stride[k];
    value = element(array.type, array.data.data() + offset * array.type.bytes);
    for (int k = dimensions; k-- > 0;) {
      if (++place[k] < array.shape[k]) break;
      place[k] = 0;
    }
  }
  return values;
}

}  // namespace duet
