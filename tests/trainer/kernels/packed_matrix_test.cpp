#include "trainer/kernels/packed_matrix.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "base/random.h"

namespace duet {
namespace {

template <typename Scalar>
struct Product : testing::Test {
  static std::vector<Scalar> values(std::size_t count, std::uint64_t seed) {
    KeyedRandom random(seed, Purpose::test, 0, 0);
    std::vector<Scalar> all(count);
    for (auto& value : all) value = static_cast<Scalar>(random.normal());
    return all;
  }

  /// Rows × a matrix of 37 outputs and 45 inputs that is put together from two slices of columns.
  static std::vector<Scalar> product(const std::vector<Scalar>& rows, std::int64_t count) {
    const auto weight = values(37 * 45, 1);
    PackedMatrix<Scalar> matrix(37, 45);
    matrix.set(weight.data(), 37, 20, 45, 0, 0);
    matrix.set(weight.data() + 20, 20, 25, 45, 0, 20);
    matrix.set(weight.data() + 20 * 45 + 20, 17, 25, 45, 20, 20);  // begins inside a panel
    const auto padded = PackedMatrix<Scalar>::padded_rows(count);
    AlignedBuffer<Scalar> interleaved(padded * 45), bias(matrix.padded_outputs()), result(padded * matrix.padded_outputs());
    for (int o = 0; o < 37; ++o) bias.data()[o] = Scalar(o);
    matrix.interleave(rows.data(), count, 45, interleaved.data());
    matrix.multiply(interleaved.data(), count, bias.data(), result.data());
    std::vector<Scalar> plain;
    for (std::int64_t r = 0; r < count; ++r)
      for (int o = 0; o < 37; ++o) plain.push_back(result.data()[r * matrix.padded_outputs() + o]);
    return plain;
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Product, Scalars);

TYPED_TEST(Product, IsTheSumOfProducts) {
  const auto weight = TestFixture::values(37 * 45, 1), rows = TestFixture::values(39 * 45, 2);
  const auto result = TestFixture::product(rows, 39);
  for (int r = 0; r < 39; ++r)
    for (int o = 0; o < 37; ++o) {
      double sum = o;
      for (int k = 0; k < 45; ++k) sum += static_cast<double>(rows[r * 45 + k]) * static_cast<double>(weight[o * 45 + k]);
      ASSERT_NEAR(result[r * 37 + o], sum, sizeof(TypeParam) == 4 ? 1e-4 : 1e-12) << "row " << r << ", output " << o;
    }
}

TYPED_TEST(Product, OfARowIsTheSameToTheBitInAnyCompany) {
  const auto rows = TestFixture::values(39 * 45, 2);
  const auto together = TestFixture::product(rows, 39);
  for (const int count : {1, 2, 3, 4, 5, 8, 9, 11, 12, 13, 15, 16, 17, 31})
    for (const int first : {0, 3, 39 - count}) {
      const auto some = TestFixture::product({rows.begin() + first * 45, rows.begin() + (first + count) * 45}, count);
      for (int i = 0; i < count * 37; ++i) ASSERT_EQ(some[i], together[first * 37 + i]) << count << " rows from " << first;
    }
}

}  // namespace
}  // namespace duet
