#include "datasets/store/hdf5.h"

namespace duet {
namespace {

std::mutex& library_mutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

Hdf5Lock::Hdf5Lock() : lock_(library_mutex()) {
  static const bool no_plugins = H5PLset_loading_state(0) >= 0;
  thread_local const bool silent = H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr) >= 0;
  static_cast<void>(no_plugins);
  static_cast<void>(silent);
}

}  // namespace duet
