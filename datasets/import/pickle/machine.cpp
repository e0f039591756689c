#include "datasets/import/pickle/machine.h"

#include <algorithm>
#include <deque>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/text.h"
#include "datasets/import/pickle/cursor.h"

namespace duet {

namespace {

/// The callables of the allow-list.
enum class Callable { reconstruct, frombuffer, scalar, ndarray, dtype, encode, bytes, bytearray, dictionary };

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
    {"collections", "OrderedDict", Callable::dictionary},
};

enum class Kind { none, boolean, integer, real, text, bytes, tuple, list, dictionary, callable, type, array };

const char* name_of(Kind kind) {
  constexpr const char* kNames[] = {"None",   "a truth value", "an integer", "a number",        "text",    "bytes", "a tuple",
                                    "a list", "a dictionary",  "a function", "an element type", "an array"};
  return kNames[static_cast<int>(kind)];
}

using Reference = std::uint32_t;

/// Objects refer to one another by number and are freed together: cycles and deep nesting are harmless. They live in a deque, so that a
/// reference to one outlives the making of others, and no call copies its arguments:
/// a file could name the same million of them a million times.
struct Object {
  Kind kind = Kind::none;
  std::int64_t number = 0;      ///< boolean, integer, callable; array: place in PickleContent::arrays
  std::string_view characters;  ///< text (UTF-8) and bytes; type: its name
  ElementType type;
  std::vector<Reference> items;  ///< tuple, list; dictionary: key, value, key, value …
};

/// The stack, the memo and the objects go with it; arrays stay in `content`.
class Machine {
 public:
  Machine(PickleContent& content, const std::string& subject, const PickleLimits& limits)
      : content_(content), cursor_(content.file, subject), limits_(limits) {}

  void run() {
    while (!step()) {
    }
    collect();
  }

 private:
  // Objects, stack, memo.

  /// Keeps a string made from the file's. A pickle may ask for the same text to be decoded over and over; an honest one decodes each once.
  std::string_view keep(std::string text) {
    decoded_bytes_ += text.size();
    if (decoded_bytes_ > 4 * cursor_.size()) cursor_.fail("its strings decode to more than four times the size of the file.");
    return content_.decoded.emplace_back(std::move(text));
  }

  Reference make(Kind kind) {
    if (static_cast<std::int64_t>(objects_.size()) >= limits_.objects) cursor_.fail("more than {} objects.", limits_.objects);
    objects_.emplace_back().kind = kind;
    return static_cast<Reference>(objects_.size() - 1);
  }

  void push(Reference object) {
    if (static_cast<std::int64_t>(stack_.size()) >= limits_.stack_items)
      cursor_.fail("more than {} things on its stack.", limits_.stack_items);
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
    if (!is_utf8(text)) cursor_.fail("text that is not UTF-8: {}.", shown(text));
    push_characters(Kind::text, text);
  }

  /// Things below the newest mark stay out of reach until that mark is gone.
  Reference pop() {
    const std::size_t floor = marks_.empty() ? 0 : marks_.back();
    if (stack_.size() <= floor) cursor_.fail("its stack is empty where something is expected.");
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
    if (marks_.empty()) cursor_.fail("no mark on its stack.");
    std::vector<Reference> items(stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back()), stack_.end());
    stack_.resize(marks_.back());
    marks_.pop_back();
    return items;
  }

  void remember(std::uint64_t place) {
    memo_[place] = top();
    // A place costs forty times its instruction. Python keeps an object once.
    if (memo_.size() > objects_.size()) cursor_.fail("it keeps more objects in its memo than it makes.");
  }

  void recall(std::uint64_t place) {
    const auto found = memo_.find(place);
    if (found == memo_.end()) cursor_.fail("memo {} is empty.", place);
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
    if (object.kind != kind) cursor_.fail("{} is {}, not {}.", what, name_of(object.kind), name_of(kind));
    return object;
  }

  const Object& argument(const Object& tuple, std::size_t index, Kind kind, const char* what) const {
    if (index >= tuple.items.size()) cursor_.fail("{} is missing.", what);
    return expect(tuple.items[index], kind, what);
  }

  void add_items(const std::vector<Reference>& items) {
    const auto target = top();
    expect(target, Kind::dictionary, "what entries are added to");
    if (items.size() % 2 != 0) cursor_.fail("a key without value.");
    auto& entries = objects_[target].items;
    entries.insert(entries.end(), items.begin(), items.end());
  }

  void append(const std::vector<Reference>& items) {
    const auto target = top();
    expect(target, Kind::list, "what something is appended to");
    auto& all = objects_[target].items;
    all.insert(all.end(), items.begin(), items.end());
  }

  // Names and calls.

  void push_callable(std::string_view module, std::string_view name) {
    for (const auto& allowed : kAllowed) {
      if (allowed.module != module || allowed.name != name) continue;
      push_number(Kind::callable, static_cast<std::int64_t>(allowed.callable));
      return;
    }
    cursor_.fail("it names {}, which a dictionary of arrays has no use for; such a file can be made to run programs when Python loads it.",
                 shown(fmt::format("{}.{}", module, name)));
  }

  ElementType parse_type(std::string_view text) const {
    ElementType type;
    std::string_view rest = text;
    if (!rest.empty() && std::string_view("<>=|").find(rest.front()) != std::string_view::npos) {
      type.big_endian = rest.front() == '>';
      rest.remove_prefix(1);
    }
    type.kind = rest.empty() ? ElementType::kUnread : rest.front();
    if (std::string_view("fiuU").find(type.kind) == std::string_view::npos) {
      type.kind = ElementType::kUnread;
      return type;
    }
    type.bytes = cursor_.to_integer(rest.substr(1));
    if (type.kind == 'U' && type.bytes > 0 && type.bytes <= 1'000'000) {
      type.bytes *= 4;
      return type;
    }
    const bool real = type.kind == 'f' && (type.bytes == 2 || type.bytes == 4 || type.bytes == 8);
    const bool whole = (type.kind == 'i' || type.kind == 'u') && (type.bytes == 1 || type.bytes == 2 || type.bytes == 4 || type.bytes == 8);
    if (!real && !whole) type.kind = ElementType::kUnread;
    return type;
  }

  std::vector<std::int64_t> parse_shape(const Object& tuple) const {
    std::vector<std::int64_t> shape;
    std::int64_t count = 1;  // of values, were no length zero: strides are made of the others all the same
    if (tuple.items.size() > PickledArray::kMaxDimensions) cursor_.fail("an array of {} dimensions.", tuple.items.size());
    for (const auto item : tuple.items) {
      const auto length = expect(item, Kind::integer, "a length in an array's shape").number;
      if (length < 0) cursor_.fail("an array of length {}.", length);
      if (length > 0 && count > limits_.array_values / length) cursor_.fail("an array of more than {} values.", limits_.array_values);
      count *= std::max<std::int64_t>(length, 1);
      shape.push_back(length);
    }
    return shape;
  }

  static bool is_read(const Object& type) { return type.type.kind != 'U' && type.type.kind != ElementType::kUnread; }

  /// What has another type than numbers may stand beside the sketches. It is left aside when all is there.
  static void leave_unread(PickledArray& array, const Object& type) {
    array.type.kind = ElementType::kUnread;
    array.type_name = type.characters;
  }

  void fill(PickledArray& array, const Object& type, const Object& shape, std::string_view data) const {
    if (!is_read(type)) return leave_unread(array, type);
    array.type = type.type;
    array.shape = parse_shape(shape);
    std::int64_t count = 1;
    for (const auto length : array.shape) count *= length;
    if (static_cast<std::uint64_t>(count * array.type.bytes) != data.size())
      cursor_.fail("an array's shape needs {} bytes, it has {}.", count * array.type.bytes, data.size());
    array.data = data;
  }

  void push_array(PickledArray array) {
    content_.arrays.push_back(std::move(array));
    push_number(Kind::array, static_cast<std::int64_t>(content_.arrays.size()) - 1);
  }

  void push_scalar(const Object& type, std::string_view data) {
    if (type.type.kind != 'U') {
      PickledArray array;
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
      if (!append_utf8(code, text)) cursor_.fail("text holds U+{:X}, which is no character.", code);
    }
    push_text(keep(std::move(text)));
  }

  /// An OrderedDict: empty, as Python 3 makes it, or of a list of pairs, as Python 2 does.
  void push_dictionary(const Object& arguments) {
    const auto dictionary = make(Kind::dictionary);
    push(dictionary);
    if (arguments.items.empty()) return;
    for (const auto pair : argument(arguments, 0, Kind::list, "the content of a dictionary").items) {
      const auto& entry = expect(pair, Kind::list, "an entry of a dictionary").items;
      if (entry.size() != 2) cursor_.fail("an entry of a dictionary has {} parts.", entry.size());
      // A file may name the same list over and over; in an honest one each entry costs more bytes than this.
      if (++copied_entries_ > cursor_.size()) cursor_.fail("its dictionaries are made of more entries than it has bytes.");
      add_items(entry);
    }
  }

  void call() {
    const auto argument_tuple = pop();
    const auto function = pop();
    const auto callable = static_cast<Callable>(expect(function, Kind::callable, "what is called").number);
    const Object& arguments = expect(argument_tuple, Kind::tuple, "the arguments of a call");
    switch (callable) {
      case Callable::reconstruct:
        if (argument(arguments, 0, Kind::callable, "the type of an array").number != static_cast<std::int64_t>(Callable::ndarray))
          cursor_.fail("an array of another type than numpy.ndarray.");
        return push_array({});
      case Callable::frombuffer: {
        PickledArray array;
        fill(array, argument(arguments, 1, Kind::type, "an array's element type"), argument(arguments, 2, Kind::tuple, "an array's shape"),
             argument(arguments, 0, Kind::bytes, "an array's data").characters);
        const auto order = argument(arguments, 3, Kind::text, "an array's order").characters;
        if (order != "C" && order != "F") cursor_.fail("an array in order {}.", shown(order));
        array.column_major = order == "F";
        return push_array(std::move(array));
      }
      case Callable::scalar:
        return push_scalar(argument(arguments, 0, Kind::type, "a number's type"),
                           argument(arguments, 1, Kind::bytes, "a number's data").characters);
      case Callable::dtype: {
        if (arguments.items.empty()) cursor_.fail("an element type without a name.");
        const auto& name = objects_[arguments.items[0]];
        if (name.kind != Kind::text && name.kind != Kind::bytes) cursor_.fail("an element type's name is {}.", name_of(name.kind));
        const auto type = parse_type(name.characters);
        const auto object = make(Kind::type);
        objects_[object].type = type;
        objects_[object].characters = name.characters;
        return push(object);
      }
      case Callable::encode: {
        const auto text = argument(arguments, 0, Kind::text, "what is encoded").characters;
        const auto encoding = argument(arguments, 1, Kind::text, "an encoding").characters;
        if (encoding != "latin1" && encoding != "latin-1") cursor_.fail("the encoding {}.", shown(encoding));
        std::string bytes;
        for (std::size_t at = 0; at < text.size();) {
          const auto code = next_utf8(text, at);
          if (code > 255) cursor_.fail("bytes kept as text hold U+{:X}.", code);
          bytes += static_cast<char>(code);
        }
        return push_characters(Kind::bytes, keep(std::move(bytes)));
      }
      case Callable::bytes:
      case Callable::bytearray:
        if (arguments.items.empty()) return push_characters(Kind::bytes, {});
        return push_characters(Kind::bytes, argument(arguments, 0, Kind::bytes, "the content of bytes").characters);
      case Callable::dictionary:
        return push_dictionary(arguments);
      case Callable::ndarray:
        break;
    }
    cursor_.fail("it calls something that is only ever named.");
  }

  /// Gives an array or an element type its state.
  void build() {
    const auto state_tuple = pop();
    const auto target = top();
    const Object& state = expect(state_tuple, Kind::tuple, "a state");
    if (objects_[target].kind == Kind::type) {
      if (state.items.size() < 2) cursor_.fail("an element type's state has {} parts.", state.items.size());
      const auto& order = objects_[state.items[1]];
      if ((order.kind != Kind::text && order.kind != Kind::bytes) || order.characters.size() != 1 ||
          std::string_view("<>=|").find(order.characters[0]) == std::string_view::npos)
        cursor_.fail("an element type's byte order is unknown.");
      // '=' is the byte order of the machine that wrote it; every machine that runs this program is little-endian.
      objects_[target].type.big_endian = order.characters[0] == '>';
      return;
    }
    auto& array = content_.arrays[static_cast<std::size_t>(expect(target, Kind::array, "what gets a state").number)];
    if (array.type.kind != 0) cursor_.fail("an array gets its state twice.");
    argument(state, 0, Kind::integer, "the version of an array's state");
    const auto column_major = argument_flag(state, 3);
    const auto& type = argument(state, 2, Kind::type, "an array's element type");
    if (!is_read(type)) return leave_unread(array, type);  // its data may be a list of objects
    fill(array, type, argument(state, 1, Kind::tuple, "an array's shape"), argument(state, 4, Kind::bytes, "an array's data").characters);
    array.column_major = column_major;
  }

  bool argument_flag(const Object& tuple, std::size_t index) const {
    if (index >= tuple.items.size()) cursor_.fail("an array's order is missing.");
    const auto& flag = objects_[tuple.items[index]];
    if (flag.kind != Kind::boolean && flag.kind != Kind::integer) cursor_.fail("an array's order is {}.", name_of(flag.kind));
    return flag.number != 0;
  }

  // The instructions.

  /// One instruction; true after the last.
  bool step() {
    const auto code = cursor_.take_instruction();
    switch (code) {
      case 0x80:  // PROTO
        if (const auto protocol = cursor_.take_unsigned(1); protocol > 5) cursor_.fail("pickle protocol {}; 0 to 5 are read.", protocol);
        return false;
      case 0x95:  // FRAME: says how much may be read at once, which this reader does not need
        if (const auto length = cursor_.take_unsigned(8); length > cursor_.left()) cursor_.fail("a frame goes beyond the end of the file.");
        return false;
      case '.':
        return true;
      case '(':
        if (static_cast<std::int64_t>(marks_.size()) >= limits_.open_marks) cursor_.fail("nested more than {} deep.", limits_.open_marks);
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
        push_number(Kind::integer, static_cast<std::int32_t>(cursor_.take_unsigned(4)));
        return false;
      case 'K':
        push_number(Kind::integer, static_cast<std::int64_t>(cursor_.take_unsigned(1)));
        return false;
      case 'M':
        push_number(Kind::integer, static_cast<std::int64_t>(cursor_.take_unsigned(2)));
        return false;
      case 0x8a:
        push_number(Kind::integer, cursor_.take_long(cursor_.take_unsigned(1)));
        return false;
      case 0x8b:
        push_number(Kind::integer, cursor_.take_long(cursor_.take_unsigned(4)));
        return false;
      case 'I': {
        const auto line = cursor_.take_line();
        if (line == "00" || line == "01")
          push_number(Kind::boolean, line == "01");
        else
          push_number(Kind::integer, cursor_.to_integer(line));
        return false;
      }
      case 'L': {
        auto line = cursor_.take_line();
        if (!line.empty() && line.back() == 'L') line.remove_suffix(1);
        push_number(Kind::integer, cursor_.to_integer(line));
        return false;
      }
      case 'F':
        cursor_.take_line();
        push(make(Kind::real));
        return false;  // no part of an array: only its kind matters, for messages
      case 'G':
        cursor_.take(8);
        push(make(Kind::real));
        return false;

      case 'V':
        push_text(keep(cursor_.unescape_text(cursor_.take_line())));
        return false;
      case 'X':
        push_text(cursor_.take(cursor_.take_unsigned(4)));
        return false;
      case 0x8c:
        push_text(cursor_.take(cursor_.take_unsigned(1)));
        return false;
      case 0x8d:
        push_text(cursor_.take(cursor_.take_unsigned(8)));
        return false;
      case 'S':
        push_characters(Kind::bytes, keep(cursor_.unescape_bytes(cursor_.take_line())));
        return false;
      case 'T':
      case 'B':
        push_characters(Kind::bytes, cursor_.take(cursor_.take_unsigned(4)));
        return false;
      case 'U':
      case 'C':
        push_characters(Kind::bytes, cursor_.take(cursor_.take_unsigned(1)));
        return false;
      case 0x8e:
      case 0x96:
        push_characters(Kind::bytes, cursor_.take(cursor_.take_unsigned(8)));
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
      case ']':
        push(make(Kind::list));
        return false;
      case 'l': {
        auto items = pop_to_mark();
        const auto list = make(Kind::list);
        objects_[list].items = std::move(items);
        push(list);
        return false;
      }
      case 'a': {
        const auto item = pop();
        append({item});
        return false;
      }
      case 'e':
        append(pop_to_mark());
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
        remember(static_cast<std::uint64_t>(cursor_.to_integer(cursor_.take_line())));
        return false;
      case 'q':
        remember(cursor_.take_unsigned(1));
        return false;
      case 'r':
        remember(cursor_.take_unsigned(4));
        return false;
      case 0x94:
        remember(memo_.size());
        return false;
      case 'g':
        recall(static_cast<std::uint64_t>(cursor_.to_integer(cursor_.take_line())));
        return false;
      case 'h':
        recall(cursor_.take_unsigned(1));
        return false;
      case 'j':
        recall(cursor_.take_unsigned(4));
        return false;

      case 'c': {
        const auto module = cursor_.take_line();
        const auto name = cursor_.take_line();
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
    cursor_.fail("instruction 0x{:02x}, which a dictionary of arrays has no use for.", code);
  }

  /// What a file holds beside its arrays. A file of nothing else, or of much of it, is another file than was meant.
  void leave_aside(const Object& key, std::string reason) {
    constexpr std::size_t kMost = 1000;
    const bool text = key.kind == Kind::text || key.kind == Kind::bytes;
    content_.others.emplace_back(text ? std::string(key.characters) : name_of(key.kind), std::move(reason));
    if (content_.others.size() > kMost) cursor_.fail("{}, and more than {} others are none.", content_.others.front().second, kMost);
  }

  /// The dictionary left on the stack becomes the content.
  void collect() {
    const auto& dictionary = expect(pop(), Kind::dictionary, "what the file holds");
    std::unordered_set<std::string_view> keys;
    std::uint64_t total = 0;
    for (std::size_t i = 0; i < dictionary.items.size(); i += 2) {
      const auto& key = objects_[dictionary.items[i]];
      if (key.kind != Kind::text && key.kind != Kind::bytes) {
        leave_aside(key, fmt::format("a key is {}, not text", name_of(key.kind)));
        continue;
      }
      if (!is_utf8(key.characters) || key.characters.find('\0') != std::string_view::npos)
        cursor_.fail("the key {} is no proper text.", shown(key.characters));
      if (!keys.insert(key.characters).second) cursor_.fail("the key {} stands there twice.", shown(key.characters));
      const auto& value = objects_[dictionary.items[i + 1]];
      if (value.kind != Kind::array) {
        leave_aside(key, fmt::format("the value of {} is {}, not an array", shown(key.characters), name_of(value.kind)));
        continue;
      }
      const auto& array = content_.arrays[static_cast<std::size_t>(value.number)];
      if (array.type.kind == 0) cursor_.fail("the array of {} has no content.", shown(key.characters));
      if (array.type.kind == ElementType::kUnread) {
        leave_aside(key,
                    fmt::format("the value of {} is an array of type {}, which is not read; float16, float32, float64 and integers are",
                                shown(key.characters), shown(array.type_name)));
        continue;
      }
      total += array.data.size() / static_cast<std::uint64_t>(array.type.bytes);
      if (total > limits_.total_values) cursor_.fail("its arrays hold more than {} values.", limits_.total_values);
      content_.entries.emplace_back(std::string(key.characters), static_cast<std::size_t>(value.number));
    }
    if (content_.entries.empty() && !content_.others.empty()) cursor_.fail("{}.", content_.others.front().second);
  }

  PickleContent& content_;
  PickleCursor cursor_;
  PickleLimits limits_;
  std::uint64_t decoded_bytes_ = 0;
  std::uint64_t copied_entries_ = 0;
  std::deque<Object> objects_;
  std::vector<Reference> stack_;
  std::vector<std::size_t> marks_;
  std::unordered_map<std::uint64_t, Reference> memo_;
};

}  // namespace

void run_pickle(PickleContent& content, const std::string& subject, const PickleLimits& limits) { Machine(content, subject, limits).run(); }

}  // namespace duet
