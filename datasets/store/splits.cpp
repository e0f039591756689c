#include "datasets/store/splits.h"

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace duet {

std::vector<std::string> assign_validation(const std::vector<std::string>& ids) {
  std::vector<std::size_t> order(ids.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return ids[a] < ids[b]; });
  std::vector<std::string> splits(ids.size(), "train");
  for (std::size_t place = 0; place < order.size(); ++place) {
    if (place > 0 && ids[order[place]] == ids[order[place - 1]]) {
      throw DataError("id '{}' comes twice: the validation part would depend on their order.", ids[order[place]]);
    }
    if (place % 3 == 0) splits[order[place]] = "validation";
  }
  return splits;
}

}  // namespace duet
