#pragma once
#include <cstdint>
#include <vector>

namespace duet {

/// A set of 64-bit fingerprints with open addressing: 11 to 22 bytes each, where std::unordered_set needs 40 and more. One thread.
class FingerprintSet {
 public:
  /// False when it was there already.
  bool insert(std::uint64_t fingerprint) {
    if (fingerprint == 0) fingerprint = 1;  // 0 marks an empty place
    if (4 * (count_ + 1) > 3 * places_.size()) grow();
    return place(fingerprint);
  }

 private:
  bool place(std::uint64_t fingerprint) {
    const auto mask = places_.size() - 1;
    auto at = fingerprint & mask;
    for (; places_[at] != 0; at = (at + 1) & mask)
      if (places_[at] == fingerprint) return false;
    places_[at] = fingerprint;
    ++count_;
    return true;
  }

  void grow() {
    std::vector<std::uint64_t> old(places_.empty() ? 1024 : 2 * places_.size(), 0);
    old.swap(places_);
    count_ = 0;
    for (const auto fingerprint : old)
      if (fingerprint != 0) place(fingerprint);
  }

  std::vector<std::uint64_t> places_;
  std::size_t count_ = 0;
};

}  // namespace duet
