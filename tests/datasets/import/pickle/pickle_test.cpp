#include "datasets/import/pickle/pickle.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <limits>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/random.h"
#include "tests/datasets/import/pickle_builder.h"

namespace duet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::PickleBuilder;

PickledArrays parse(const std::string& bytes) { return PickledArrays::parse(bytes, "test.pickle"); }

/// What parse() says of bytes that it must refuse.
std::string complaint(const std::string& bytes, const PickleLimits& limits = {}) {
  try {
    PickledArrays::parse(bytes, "test.pickle", limits);
  } catch (const DataError& error) {
    EXPECT_THAT(error.what(), HasSubstr("test.pickle")) << "a message names its subject";
    return error.what();
  }
  ADD_FAILURE() << "was accepted";
  return {};
}

std::string zeros(std::size_t count) { return std::string(count, '\0'); }

TEST(Pickle, ReadsADictionaryOfArrays) {
  const auto arrays = parse(PickleBuilder().add("/train/a_1", {1, 2, 0, 3.25, -4, 1}).add("/test/b_c-d_12", {5, 6, 1}).finish());
  ASSERT_EQ(arrays.size(), 2);
  EXPECT_EQ(arrays.key(0), "/train/a_1");
  EXPECT_THAT(arrays.shape(0), ElementsAre(2, 3));
  EXPECT_THAT(arrays.values(0), ElementsAre(1, 2, 0, 3.25, -4, 1));
  EXPECT_EQ(arrays.key(1), "/test/b_c-d_12");
  EXPECT_THAT(arrays.values(1), ElementsAre(5, 6, 1));
}

TEST(Pickle, NumPy2sModuleNamesAreTheSame) {
  PickleBuilder builder;
  builder.multiarray = "numpy._core.multiarray";
  EXPECT_THAT(parse(builder.add("k", {1, 2, 3}).finish()).values(0), ElementsAre(1, 2, 3));
}

TEST(Pickle, ColumnMajorAndBigEndianAreUndone) {
  PickleBuilder builder;
  builder.column_major = true;
  EXPECT_THAT(parse(builder.add("k", {1, 2, 3, 4, 5, 6}).finish()).values(0), ElementsAre(1, 3, 5, 2, 4, 6));
  PickleBuilder big;
  big.type = "i2";
  big.byte_order = ">";
  EXPECT_THAT(parse(big.add_raw("k", {1, 3}, std::string("\x00\x01\x01\x00\xff\xfe", 6)).finish()).values(0), ElementsAre(1, 256, -2));
}

TEST(Pickle, AnotherNameIsRefusedAndNamed) {
  for (const auto& [module, name] : std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                                                     {"builtins", "eval"},
                                                                                     {"numpy", "load"},
                                                                                     {"numpy.core.multiarray", "__import__"},
                                                                                     {"_codecs", "decode"},
                                                                                     {"os", "encode"},
                                                                                     {"numpy.core", "dtype"}}) {
    const auto attack = PickleBuilder().text("k").global(module, name).text("touch /tmp/owned").raw("\x85R").finish();
    EXPECT_THAT(complaint(attack), HasSubstr("'" + module + "." + name + "'"));
    const auto stacked = PickleBuilder().text("k").text(module).text(name).raw("\x93").finish();
    EXPECT_THAT(complaint(stacked), HasSubstr("'" + module + "." + name + "'"));
  }
}

TEST(Pickle, InstructionsThatBuildOtherObjectsAreRefused) {
  // INST, OBJ, NEWOBJ, NEWOBJ_EX, PERSID, BINPERSID, EXT1, EXT2, EXT4, NEXT_BUFFER
  for (const std::string code : {"i", "o", "\x81", "\x92", "P", "Q", "\x82", "\x83", "\x84", "\x97"})
    EXPECT_THAT(complaint(PickleBuilder().raw(code + "os\nsystem\n").finish()), HasSubstr("instruction")) << code;
}

TEST(Pickle, WhatIsNoArrayIsRefusedWithItsKey) {
  EXPECT_THAT(complaint(PickleBuilder().text("/train/a_1").raw("K\x07").finish()), HasSubstr("'/train/a_1' is an integer"));
  EXPECT_THAT(complaint(PickleBuilder().raw("K\x07K\x07").finish()), HasSubstr("a key is an integer"));
  EXPECT_THAT(complaint("\x80\x03K\x07."), HasSubstr("not a dictionary"));
  EXPECT_THAT(complaint(PickleBuilder().add("k", {1, 2, 3}).add("k", {1, 2, 3}).finish()), HasSubstr("twice"));
}

TEST(Pickle, ObjectAndTextArraysAreRefused) {
  for (const std::string type : {"O8", "U4", "S8", "V8", "b1", "f16", "c16", "M8", "i3"}) {
    PickleBuilder builder;
    builder.type = type;
    EXPECT_THAT(complaint(builder.add_raw("k", {1, 1}, zeros(8)).finish()), HasSubstr("not read")) << type;
  }
}

TEST(Pickle, WhatStandsBesideTheArraysIsLeftAside) {
  PickleBuilder mixed;
  mixed.add("/train/a_1", {1, 2, 0, 3, 4, 1}).text("version").raw("K\x07").raw("K\x07").text("a number as key");
  mixed.text("list").raw("](NNeNa").text("list of marks").raw("((NNll");
  mixed.type = "O8";
  mixed.add_raw("objects", {1}, zeros(8));
  const auto arrays = parse(mixed.finish());
  ASSERT_EQ(arrays.size(), 1);
  EXPECT_THAT(arrays.values(0), ElementsAre(1, 2, 0, 3, 4, 1));
  std::vector<std::string> keys;
  for (const auto& [key, reason] : arrays.others()) keys.push_back(key);
  EXPECT_THAT(keys, ElementsAre("version", "an integer", "list", "list of marks", "objects"));
  EXPECT_THAT(arrays.others()[2].second, HasSubstr("is a list, not an array"));
  EXPECT_THAT(arrays.others()[4].second, HasSubstr("type 'O8', which is not read"));

  PickleBuilder many;
  many.add("a", {1, 2, 3});
  for (int i = 0; i < 1001; ++i) many.text(std::to_string(i)).raw("N");
  EXPECT_THAT(complaint(many.finish()), HasSubstr("'0' is None, not an array, and more than 1000 others"));
}

TEST(Pickle, OrderedDictionariesAreDictionaries) {
  // {'k': array}, empty and then filled, as Python 3 writes it, and of a list of pairs, as Python 2 does.
  const auto array = PickleBuilder().add("k", {1, 2, 3}).finish().substr(4);  // behind "}(", up to "u."
  const auto pair = array.substr(0, array.size() - 2);
  const std::string name = "ccollections\nOrderedDict\n";
  EXPECT_THAT(parse("\x80\x03" + name + ")R(" + pair + "u.").values(0), ElementsAre(1, 2, 3));
  EXPECT_THAT(parse("\x80\x02" + name + "]](" + pair + "ea\x85R.").values(0), ElementsAre(1, 2, 3)) << "a pair appended";
  EXPECT_THAT(complaint("\x80\x02" + name + "]]Naa\x85R."), HasSubstr("has 1 parts"));
  EXPECT_THAT(complaint("\x80\x02" + name + "K\x01\x85R."), HasSubstr("is an integer, not a list"));
  // One list of a thousand pairs, named a thousand times.
  std::string bomb = "\x80\x02]q\x01(";
  for (int i = 0; i < 1000; ++i) bomb += "](NNe";
  bomb += "e0" + name + "q\x02";
  for (int i = 0; i < 1000; ++i) bomb += "0h\x02h\x01\x85R";
  EXPECT_THAT(complaint(bomb + "."), HasSubstr("more entries than it has bytes"));
}

TEST(Pickle, AShapeThatDoesNotFitItsBytesIsRefusedWithoutTakingMemory) {
  EXPECT_THAT(complaint(PickleBuilder().add_raw("k", {2, 3}, zeros(40)).finish()), HasSubstr("needs 48 bytes, it has 40"));
  EXPECT_THAT(complaint(PickleBuilder().add_raw("k", {1'000'000'000'000, 3}, zeros(24)).finish()), HasSubstr("values"));
  EXPECT_THAT(complaint(PickleBuilder().add_raw("k", {std::int64_t{1} << 62, std::int64_t{1} << 62}, zeros(24)).finish()),
              HasSubstr("values"));
  EXPECT_THAT(complaint(PickleBuilder().add_raw("k", {-1, 3}, zeros(24)).finish()), HasSubstr("length -1"));
  EXPECT_EQ(parse(PickleBuilder().add_raw("k", {0, 3}, "").finish()).values(0).size(), 0U);
}

TEST(Pickle, LimitsHold) {
  std::string many = "\x80\x03";
  for (int i = 0; i < 2000; ++i) many += "N";
  EXPECT_THAT(complaint(many, {.objects = 1000}), HasSubstr("more than 1000 objects"));
  EXPECT_THAT(complaint(many, {.stack_items = 1000}), HasSubstr("1000 things on its stack"));
  EXPECT_THAT(complaint(std::string(5000, '('), {}), HasSubstr("deep"));
  EXPECT_THAT(complaint(PickleBuilder().add("k", {1, 2, 3}).finish(), {.file_bytes = 10}), HasSubstr("larger than 10"));
  EXPECT_THAT(complaint(PickleBuilder().add("k", {1, 2, 3}).finish(), {.array_values = 2}), HasSubstr("more than 2 values"));
}

TEST(Pickle, OneArrayUnderManyNamesCountsEachTime) {
  // Fifty keys for one array of 300 values: a short file that stands for much.
  PickleBuilder builder;
  builder.add("k", std::vector<double>(300, 1)).raw("q\x01");
  for (int i = 0; i < 50; ++i) builder.text("copy" + std::to_string(i)).raw("h\x01");
  EXPECT_EQ(parse(builder.finish()).size(), 51);
  EXPECT_THAT(complaint(builder.finish(), {.total_values = 3000}), HasSubstr("more than 3000 values"));
}

TEST(Pickle, DecodingOneTextOverAndOverIsRefused) {
  // BINUNICODE of 100 kB, kept in the memo; then _codecs.encode(text, 'latin1') a thousand times.
  PickleBuilder builder;
  builder.text(std::string(100'000, 'x')).raw("q\x01").text("latin1").raw("q\x02").global("_codecs", "encode").raw("q\x03");
  for (int i = 0; i < 1000; ++i) builder.raw("h\x03h\x01h\x02\x86R");
  EXPECT_THAT(complaint(builder.finish()), HasSubstr("decode to more than"));
}

TEST(Pickle, DeepNestingAndCyclesAreHarmless) {
  // ((((…)))) through TUPLE1, a hundred thousand deep, and a dictionary that contains itself.
  EXPECT_THAT(complaint("\x80\x03)" + std::string(100'000, '\x85') + "."), HasSubstr("not a dictionary"));
  EXPECT_THAT(complaint("\x80\x03}q\x01X\x01" + zeros(3) + "kh\x01s."), HasSubstr("is a dictionary, not an array"));
}

TEST(Pickle, StackUnderflowsAndStrayReferencesAreRefused) {
  for (const std::string program :
       {"R.", "b.", "s.", "u.", "t.", "\x87.", "0.", ".", "q\x01.", "h\x05.", "g99\n.", "p-1\n.", "(K\x01(t0u."})
    EXPECT_FALSE(complaint("\x80\x03" + program).empty()) << program;
  // What lies below a mark cannot be taken through it.
  EXPECT_THAT(complaint("\x80\x03}(0."), HasSubstr("stack is empty"));
}

TEST(Pickle, TruncationAtEveryByteIsADataError) {
  PickleBuilder builder;
  builder.add("/train/a_1", {1, 2, 0, 3, 4, 1}).raw("q\x01").add("/train/a_2", {1, 2, 0, 3, 4, 1});
  const auto whole = builder.finish();
  for (std::size_t length = 0; length < whole.size(); ++length) EXPECT_FALSE(complaint(whole.substr(0, length)).empty()) << length;
  EXPECT_EQ(parse(whole).size(), 2);
}

TEST(Pickle, DamagedBytesGiveAnErrorOrArraysNeverACrash) {
  PickleBuilder builder;
  builder.add("/train/a_1", {1, 2, 0, 3, 4, 1}).raw("q\x01").add("/train/a_2", {1, 2, 0, 3, 4, 1});
  const auto whole = builder.finish();
  int accepted = 0, refused = 0;
  for (std::uint64_t trial = 0; trial < 40'000; ++trial) {
    KeyedRandom random(1, Purpose::test, 0, trial);
    auto bytes = whole;
    const auto changes = 1 + random.below(4);
    for (std::uint64_t i = 0; i < changes; ++i) {
      const auto at = random.below(bytes.size());
      switch (random.below(3)) {
        case 0:
          bytes[at] = static_cast<char>(random.below(256));
          break;
        case 1:
          bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
          break;
        default:
          bytes.insert(at, 1, static_cast<char>(random.below(256)));
      }
    }
    try {
      const auto arrays = parse(bytes);
      for (std::int64_t i = 0; i < arrays.size(); ++i) {
        std::int64_t count = 1;
        for (const auto length : arrays.shape(i)) count *= length;
        ASSERT_EQ(static_cast<std::int64_t>(arrays.values(i).size()), count);
        ASSERT_LE(count, 64) << "no more values than the file has bytes for";
      }
      ++accepted;
    } catch (const DataError&) {
      ++refused;
    }
  }
  EXPECT_GT(accepted, 100) << "flips inside the numbers are no damage to the form";
  EXPECT_GT(refused, 10'000);
}

/// Nothing that a short file says may make the reader take much memory: 1 GiB of address space is all it gets here.
TEST(Pickle, RandomInstructionsStayWithinMemory) {
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const rlimit limit{.rlim_cur = 1 << 30, .rlim_max = 1 << 30};
    setrlimit(RLIMIT_AS, &limit);
    const std::string codes =
        "}(K\x01NX\x85\x86\x87tqh)dsuRbc\x94\x8c\x8d\x8e\x96"
        "BUCTSVIL0\x95\x8a\x8b]lae";
    for (std::uint64_t trial = 0; trial < 20'000; ++trial) {
      KeyedRandom random(2, Purpose::test, 0, trial);
      std::string bytes = "\x80\x03";
      const auto length = random.below(200);
      for (std::uint64_t i = 0; i < length; ++i)
        bytes += random.chance(0.7) ? codes[random.below(codes.size())] : static_cast<char>(random.below(256));
      try {
        PickledArrays::parse(bytes, "random");
      } catch (const DataError&) {
      } catch (...) {
        _exit(1);
      }
    }
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST(Pickle, AMemoHoldsNoMoreThanWasMade) {
  const auto message = [](const std::string& bytes) {
    try {
      parse(bytes);
    } catch (const DataError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(message("\x80\x04N" + std::string(1'000'000, '\x94') + "."), ::testing::HasSubstr("memo"));
  std::string puts = "\x80\x04N";
  for (int i = 0; i < 1000; ++i) puts += std::string("r") + static_cast<char>(i % 256) + static_cast<char>(i / 256) + std::string(2, '\0');
  EXPECT_THAT(message(puts + "."), ::testing::HasSubstr("memo"));
}

/// Products of a shape's lengths must not overflow, a length of zero among them or not.
TEST(Pickle, AnEmptyArrayOfHugeLengthsIsRefused) {
  for (const auto& shape : {std::vector<std::int64_t>{0, std::int64_t{1} << 62, std::int64_t{1} << 62},
                            std::vector<std::int64_t>{std::int64_t{1} << 62, std::int64_t{1} << 62, 0}}) {
    for (const bool column_major : {false, true}) {
      PickleBuilder builder;
      builder.column_major = column_major;
      EXPECT_THROW(parse(builder.add_raw("a", shape, "").finish()), DataError);
    }
  }
  EXPECT_EQ(parse(PickleBuilder().add_raw("a", {0, 3}, "").finish()).values(0).size(), 0U);
}

TEST(Pickle, Python2StringsServeAsBytesAndKeys) {
  // {'k': array} as Python 2's protocol 0 writes it.
  const std::string bytes =
      "(dp0\nS'k'\np1\ncnumpy.core.multiarray\n_reconstruct\np2\n(cnumpy\nndarray\np3\n(I0\ntp4\nS'b'\np5\ntp6\nRp7\n(I1\n(I1\nI3\ntp8\n"
      "cnumpy\ndtype\np9\n(S'i1'\np10\nI0\nI1\ntp11\nRp12\n(I3\nS'|'\np13\nNNNI-1\nI-1\nI0\ntp14\nbI00\nS'\\x01\\'\\n'\np15\ntp16\nbs.";
  const auto arrays = parse(bytes);
  ASSERT_EQ(arrays.size(), 1);
  EXPECT_EQ(arrays.key(0), "k");
  EXPECT_THAT(arrays.values(0), ElementsAre(1, '\'', '\n'));
}

/// The same dictionary as Python writes it in every protocol, in every number type and memory order, against what NumPy says it holds.
TEST(Pickle, AgreesWithNumPyInEveryProtocol) {
  const TemporaryFolder folder;
  const auto script = folder / "make.py";
  write_file_atomically(script, std::string_view(R"(
import collections, json, pickle, sys
import numpy as np
rng = np.random.RandomState(5)
base = rng.uniform(-300, 300, (7, 3))
base[2, 1] = np.nan; base[3, 0] = np.inf
whole = np.round(np.nan_to_num(base, posinf=99))
arrays = {'/train/plain_1': base, '/train/fortran_2': np.asfortranarray(base), '/train/strided_3': base[::-2, ::-1],
          '/train/f4_4': base.astype('f4'), '/train/big_5': base.astype('>f8'), '/train/i8_6': whole.astype('i8'),
          '/train/i4big_7': whole.astype('>i4'), '/train/u1_8': np.abs(whole).astype('u1'), '/train/empty_9': np.zeros((0, 3)),
          '/train/deep_10': np.asfortranarray(rng.uniform(size=(2, 3, 4))), np.str_('/test/n\u00e4me_11'): base[:1],
          '/train/transposed_12': rng.uniform(size=(3, 5)).T, '/train/flat_13': np.arange(4.)}
frozen = base.copy(); frozen.flags.writeable = False
arrays['/train/frozen_14'] = frozen
arrays['/train/again_15'] = arrays['/train/plain_1']
arrays['/train/half_16'] = base.astype('f2')
arrays['/train/halfbig_17'] = np.array([0, -0.0, 1, -2.5, 65504, 6e-8, 6.1e-5, -np.inf, np.nan]).astype('>f2')
mixed = collections.OrderedDict(arrays)
mixed.update({'version': '1.0', 'note': None, 'sizes': [1, 2.5, [3], ()], 'meta': {'a': 1}, 'names': np.array(['a', 'b']), 5: base,
              'objects': np.array([None, 'x'], dtype=object), 'flags': np.array([True]), 'day': np.array(['2020-01-01'], 'M8[D]'),
              'rows': np.zeros(2, [('a', 'f4'), ('b', 'i4')]), 'bytes': b'abc'})
for protocol in range(6):
    with open(sys.argv[1] + '/%d.pickle' % protocol, 'wb') as f: pickle.dump(arrays, f, protocol)
    with open(sys.argv[1] + '/mixed-%d.pickle' % protocol, 'wb') as f: pickle.dump(mixed, f, protocol)
expected = {str(k): [list(v.shape), [repr(float(x)) for x in v.flatten()]] for k, v in arrays.items()}
with open(sys.argv[1] + '/expected.json', 'w') as f: json.dump(expected, f)
)"));
  const auto command = "/usr/bin/python3 " + script.string() + " " + folder.path().string();
  ASSERT_EQ(std::system(command.c_str()), 0) << "needs python3 with NumPy (Debian: python3-numpy); launch/setup.sh --tests installs both";
  const auto expected = read_json(folder / "expected.json");
  for (int protocol = 0; protocol <= 5; ++protocol) {
    const auto arrays = PickledArrays::read(folder / (std::to_string(protocol) + ".pickle"));
    ASSERT_EQ(arrays.size(), static_cast<std::int64_t>(expected.size())) << "protocol " << protocol;
    for (std::int64_t i = 0; i < arrays.size(); ++i) {
      const auto& entry = expected.at(arrays.key(i));
      EXPECT_EQ(arrays.shape(i), entry[0].get<std::vector<std::int64_t>>()) << arrays.key(i) << ", protocol " << protocol;
      const auto values = arrays.values(i);
      ASSERT_EQ(values.size(), entry[1].size());
      for (std::size_t k = 0; k < values.size(); ++k) {
        const double wanted = std::strtod(entry[1][k].get<std::string>().c_str(), nullptr);
        EXPECT_TRUE(values[k] == wanted || (values[k] != values[k] && wanted != wanted))
            << arrays.key(i) << "[" << k << "], protocol " << protocol << ": " << values[k] << " instead of " << wanted;
      }
    }
    const auto mixed = PickledArrays::read(folder / ("mixed-" + std::to_string(protocol) + ".pickle"));
    EXPECT_EQ(mixed.size(), arrays.size()) << "protocol " << protocol;
    EXPECT_EQ(mixed.others().size(), 11u) << "protocol " << protocol;
  }
}

TEST(Pickle, AMissingFileIsSaidToBeMissing) { EXPECT_THROW(PickledArrays::read("/nowhere/at/all"), InputMissing); }

}  // namespace
}  // namespace duet
