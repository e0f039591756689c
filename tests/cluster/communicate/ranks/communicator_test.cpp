#include "cluster/communicate/communicator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <thread>

#include "base/random.h"
#include "cluster/communicate/half.h"
#include "cluster/communicate/mpi_communicator.h"
#include "tests/rank_world.h"

namespace duet {
namespace {

constexpr DataType kTypes[] = {DataType::float32, DataType::float64, DataType::bfloat16, DataType::float16,
                               DataType::int32,   DataType::int64,   DataType::uint8};
constexpr ReduceOp kOps[] = {ReduceOp::sum, ReduceOp::max, ReduceOp::min};

void store(std::byte* at, DataType type, double value) {
  const auto put = [at](auto typed) { std::memcpy(at, &typed, sizeof typed); };
  switch (type) {
    case DataType::float32:
      return put(static_cast<float>(value));
    case DataType::float64:
      return put(value);
    case DataType::bfloat16:
      return put(float_to_bfloat16(static_cast<float>(value)));
    case DataType::float16:
      return put(float_to_float16(static_cast<float>(value)));
    case DataType::int32:
      return put(static_cast<std::int32_t>(value));
    case DataType::int64:
      return put(static_cast<std::int64_t>(value));
    case DataType::uint8:
      return put(static_cast<std::uint8_t>(value));
  }
}

double load(const std::byte* at, DataType type) {
  const auto get = [at](auto typed) {
    std::memcpy(&typed, at, sizeof typed);
    return typed;
  };
  switch (type) {
    case DataType::float32:
      return get(float{});
    case DataType::float64:
      return get(double{});
    case DataType::bfloat16:
      return bfloat16_to_float(get(std::uint16_t{}));
    case DataType::float16:
      return float16_to_float(get(std::uint16_t{}));
    case DataType::int32:
      return get(std::int32_t{});
    case DataType::int64:
      return static_cast<double>(get(std::int64_t{}));
    case DataType::uint8:
      return get(std::uint8_t{});
  }
  return 0;
}

/// Small whole numbers, exact in every type, so that a sum over four ranks is too, whatever its order.
double element(int rank, std::int64_t index) { return static_cast<double>(mix(rank, index) % 31); }

std::vector<std::byte> buffer_of(int rank, std::int64_t count, DataType type) {
  std::vector<std::byte> buffer(count * size_of(type));
  for (std::int64_t i = 0; i < count; ++i) store(buffer.data() + i * size_of(type), type, element(rank, i));
  return buffer;
}

double reduced(int ranks, std::int64_t index, ReduceOp op) {
  double result = element(0, index);
  for (int rank = 1; rank < ranks; ++rank) {
    const double other = element(rank, index);
    result = op == ReduceOp::sum ? result + other : op == ReduceOp::max ? std::max(result, other) : std::min(result, other);
  }
  return result;
}

std::int64_t first_wrong(const std::vector<std::byte>& buffer, DataType type, const auto& expected) {
  const auto count = static_cast<std::int64_t>(buffer.size()) / size_of(type);
  for (std::int64_t i = 0; i < count; ++i) {
    if (load(buffer.data() + i * size_of(type), type) != expected(i)) return i;
  }
  return -1;
}

/// Both back ends from one source: the ranks of this program over MPI, and a world of one without it.
std::vector<Communicator*> communicators() {
  static const auto self = make_self_communicator();
  return {&test_world().gradients(), self.get()};
}

std::string subject(const Communicator& communicator, DataType type, std::int64_t count) {
  return fmt::format("'{}', rank {} of {}, {}, {} elements", communicator.name(), communicator.rank(), communicator.size(), name_of(type),
                     count);
}

TEST(Communicator, EveryOperationOnEveryTypeAndSizeEqualsTheSerialReference) {
  for (auto* communicator : communicators()) {
    const int ranks = communicator->size(), rank = communicator->rank();
    for (const auto type : kTypes) {
      for (const std::int64_t count : {0, 1, 3, 1021, 70001}) {
        SCOPED_TRACE(subject(*communicator, type, count));
        for (const auto op : kOps) {
          auto blocking = buffer_of(rank, count, type), asynchronous = blocking;
          communicator->all_reduce(blocking.data(), count, type, op);
          communicator->all_reduce_async(asynchronous.data(), count, type, op)->wait();
          const auto expected = [&](std::int64_t i) { return reduced(ranks, i, op); };
          ASSERT_EQ(first_wrong(blocking, type, expected), -1) << "operator " << static_cast<int>(op);
          ASSERT_EQ(first_wrong(asynchronous, type, expected), -1) << "operator " << static_cast<int>(op) << ", asynchronous";
        }
        for (int root = 0; root < ranks; ++root) {
          auto buffer = buffer_of(rank, count, type);
          communicator->broadcast(buffer.data(), count, type, root);
          ASSERT_EQ(first_wrong(buffer, type, [&](std::int64_t i) { return element(root, i); }), -1) << "from rank " << root;
        }
        const auto own = buffer_of(rank, count, type);
        std::vector<std::byte> all(own.size() * ranks);
        communicator->all_gather(own.data(), all.data(), count, type);
        ASSERT_EQ(first_wrong(all, type, [&](std::int64_t i) { return element(static_cast<int>(i / count), i % count); }), -1);
      }
    }
  }
}

TEST(Communicator, MessagesAboveOnePieceArriveWhole) {
  auto& communicator = test_world().gradients();
  const int rank = communicator.rank(), ranks = communicator.size();
  const std::int64_t count = MpiCommunicator::kPieceBytes / 4 + 1000003;
  std::vector<std::int32_t> values(count);
  const auto fill = [&] {
    for (std::int64_t i = 0; i < count; ++i) values[i] = static_cast<std::int32_t>(i % 1000003) * (rank + 1);
  };
  fill();
  communicator.all_reduce(values.data(), count, DataType::int32);
  for (std::int64_t i = 0; i < count; i += 997) ASSERT_EQ(values[i], i % 1000003 * (ranks * (ranks + 1) / 2)) << i;
  fill();
  communicator.broadcast(values.data(), count, DataType::int32, ranks - 1);
  for (std::int64_t i = 0; i < count; i += 997) ASSERT_EQ(values[i], i % 1000003 * ranks) << i;

  const std::int64_t each = MpiCommunicator::kPieceBytes / ranks + 4099;  // bytes; the gathered whole is above one piece
  std::vector<std::uint8_t> own(each, static_cast<std::uint8_t>(rank + 1)), all(each * ranks);
  communicator.all_gather(own.data(), all.data(), each, DataType::uint8);
  for (std::int64_t i = 0; i < each * ranks; i += 61) ASSERT_EQ(all[i], i / each + 1) << i;
}

TEST(Communicator, SumsAreTheSameBitsOnAllRanksAndInEveryRun) {
  auto& communicator = test_world().gradients();
  for (const std::int64_t count : {7, 5000, 300000}) {
    std::vector<float> once(count), twice;
    for (std::int64_t i = 0; i < count; ++i) {
      once[i] = static_cast<float>(KeyedRandom(1, Purpose::test, communicator.rank(), i).normal());
    }
    twice = once;
    communicator.all_reduce(std::span(once));
    communicator.all_reduce(std::span(twice));
    ASSERT_EQ(once, twice);
    auto of_rank_0 = once;
    communicator.broadcast(of_rank_0.data(), count, DataType::float32, 0);
    ASSERT_EQ(of_rank_0, once);
  }
}

TEST(Communicator, HalfPrecisionSumsRoundOnceAnAddition) {
  auto& communicator = test_world().gradients();
  const int ranks = communicator.size();
  struct Format {
    DataType type;
    double unit;  // of roundoff
  };
  for (const auto [type, unit] : {Format{DataType::bfloat16, 0x1p-8}, Format{DataType::float16, 0x1p-11}}) {
    const std::int64_t count = 4001;
    std::vector<std::byte> buffer(count * 2);
    std::vector<double> exact(count), magnitude(count);
    for (int rank = 0; rank < ranks; ++rank) {
      for (std::int64_t i = 0; i < count; ++i) {
        std::byte cell[2];
        store(cell, type, KeyedRandom(2, Purpose::test, rank, i).normal());
        exact[i] += load(cell, type);
        magnitude[i] += std::abs(load(cell, type));
        if (rank == communicator.rank()) std::memcpy(buffer.data() + 2 * i, cell, 2);
      }
    }
    communicator.all_reduce(buffer.data(), count, type);
    for (std::int64_t i = 0; i < count; ++i) {
      ASSERT_LE(std::abs(load(buffer.data() + 2 * i, type) - exact[i]), (ranks - 1) * unit * magnitude[i] * 1.02)
          << name_of(type) << " " << i;
    }
  }
}

TEST(Communicator, TwoCommunicatorsWorkFromTwoThreadsAtOnce) {
  auto& world = test_world();
  const int ranks = world.size();
  const auto many = [&](Communicator& communicator, std::int64_t count, int rounds, bool& right) {
    right = true;
    for (int round = 0; round < rounds; ++round) {
      std::vector<std::int64_t> values(count, communicator.rank() + round);
      communicator.all_reduce(std::span(values));
      for (const auto value : values) right = right && value == ranks * (ranks - 1) / 2 + ranks * round;
    }
  };
  bool large = false, small = false;
  std::thread other([&] { many(world.gradients(), 20000, 60, large); });
  many(world.statistics(), 5, 300, small);
  other.join();
  EXPECT_TRUE(large);
  EXPECT_TRUE(small);
}

TEST(Communicator, AsynchronousAndBlockingOperationsRunInTheOrderOfTheCalls) {
  auto& communicator = test_world().gradients();
  const int ranks = communicator.size();
  // Each reads what the one before it wrote, so any other order gives another number.
  std::vector<double> value(5000, 1);
  auto first = communicator.all_reduce_async(value.data(), 5000, DataType::float64, ReduceOp::sum);
  auto second = communicator.all_reduce_async(value.data(), 5000, DataType::float64, ReduceOp::sum);
  communicator.all_reduce(std::span(value));
  EXPECT_TRUE(first->done());
  EXPECT_TRUE(second->done());
  first->wait();
  second->wait();
  EXPECT_EQ(value[4999], std::pow(ranks, 3));
}

TEST(Communicator, StringsOfAnyLengthReachAllRanks) {
  auto& control = test_world().control();
  for (int root = 0; root < control.size(); ++root) {
    std::string text = control.rank() == root ? std::string(root * 1000, 'x') + "end" : "something else";
    control.broadcast_string(text, root);
    EXPECT_EQ(text, std::string(root * 1000, 'x') + "end");
  }
  const auto texts = control.all_gather_strings(std::string(control.rank(), 'a' + control.rank()));
  ASSERT_EQ(static_cast<int>(texts.size()), control.size());
  for (int rank = 0; rank < control.size(); ++rank) EXPECT_EQ(texts[rank], std::string(rank, 'a' + rank));
  EXPECT_TRUE(control.any(control.rank() == control.size() - 1));
  EXPECT_FALSE(control.any(false));
}

}  // namespace
}  // namespace duet
