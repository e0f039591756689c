#include "cluster/ranks/device.h"

#include <dlfcn.h>

#include "base/error.h"
#include "base/process.h"

namespace duet {

std::filesystem::path cuda_plugin() {
  auto plugin = own_program().parent_path() / "libduet_cuda.so";
  if (!std::filesystem::exists(plugin)) {
    throw Unavailable(
        "{} is not there: this program was built without the CUDA toolkit. Build it where nvcc and NCCL are, or use --run.device=cpu.",
        plugin.string());
  }
  return plugin;
}

std::unique_ptr<DeviceBackend> load_cuda_backend() {
  const auto plugin = cuda_plugin();
  // Global, since libraries that LibTorch loads later look for symbols of its CUDA part.
  void* library = ::dlopen(plugin.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (!library) {
    throw Unavailable(
        "{} cannot be loaded: {}. It needs LibTorch's CUDA libraries (launch/setup.sh fetches them where there is a GPU; or set "
        "DUET_LIBTORCH) and the driver.",
        plugin.string(), ::dlerror());
  }
  using Entry = DeviceBackend* (*)();
  const auto entry = reinterpret_cast<Entry>(::dlsym(library, "duet_cuda_backend"));
  if (!entry) throw Unavailable("{} is of another version of this program.", plugin.string());
  return std::unique_ptr<DeviceBackend>(entry());
}

}  // namespace duet
