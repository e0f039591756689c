#pragma once
#include <hdf5.h>

#include <mutex>
#include <utility>

namespace duet {

/// Owns an HDF5 identifier of any kind. Not for threads: hold an Hdf5Lock.
class Hdf5Handle {
 public:
  Hdf5Handle() = default;
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Hdf5Handle& operator=(Hdf5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Hdf5Handle() {
    if (id_ >= 0) close_(id_);
  }
  bool valid() const { return id_ >= 0; }
  hid_t get() const { return id_; }

 private:
  hid_t id_ = -1;
  herr_t (*close_)(hid_t) = nullptr;
};

/// To be held around every use of the library: builds without its thread-safe option exist, and the others serialise their callers anyway.
/// Silences the library's error stacks for this thread (the setting is per thread) and keeps it from loading filter plug-ins:
/// shards are untrusted.
class Hdf5Lock {
 public:
  Hdf5Lock();

 private:
  std::unique_lock<std::mutex> lock_;
};

}  // namespace duet
