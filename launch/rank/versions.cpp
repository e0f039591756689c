#include "launch/rank/versions.h"

#include <civetweb.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <hdf5.h>
#include <mpi.h>
#include <png.h>
#include <prometheus/registry.h>
#include <torch/version.h>
#include <webp/decode.h>
#include <xxhash.h>

#include <boost/version.hpp>
#include <filesystem>

#include "cluster/ranks/device.h"

namespace duet {
namespace {

std::string mpi_version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING];
  int length = 0;
  MPI_Get_library_version(text, &length);
  const std::string whole(text, static_cast<std::size_t>(length));  // "Open MPI v4.1.4, package: …"
  return whole.substr(0, whole.find_first_of(",\n"));
}

std::string hdf5_version() {
  unsigned major = 0, minor = 0, release = 0;
  H5get_libversion(&major, &minor, &release);
  return fmt::format("{}.{}.{}", major, minor, release);
}

std::string webp_version() {
  const auto version = static_cast<unsigned>(WebPGetDecoderVersion());
  return fmt::format("{}.{}.{}", version >> 16U, (version >> 8U) & 0xFFU, version & 0xFFU);
}

// prometheus-cpp states its version nowhere but in the name of the library's file.
std::string prometheus_version() {
  Dl_info info{};
  const prometheus::Registry registry;
  const void* in_library = *reinterpret_cast<const void* const*>(&registry);  // its table of virtual functions
  std::error_code unknown;
  if (dladdr(in_library, &info) == 0 || info.dli_fname == nullptr) return "?";
  const auto file = std::filesystem::canonical(info.dli_fname, unknown).filename().string();
  const auto at = file.find(".so.");
  return at == std::string::npos ? "?" : file.substr(at + 4);
}

std::string cuda_version() {
  try {
    return load_cuda_backend()->versions();
  } catch (const Error& error) {
    return fmt::format("none: {}", error.what());
  }
}

}  // namespace

Json versions(bool load_cuda) {
  const auto triple = [](unsigned value, unsigned major, unsigned minor) {
    return fmt::format("{}.{}.{}", value / major, value / minor % (major / minor), value % minor);
  };
  Json json;
  json["duet"] = DUET_VERSION;
  json["compiler"] = "g++ " __VERSION__;
  json["LibTorch"] = TORCH_VERSION;
  json["MPI"] = mpi_version();
  json["HDF5"] = hdf5_version();
  json["TurboJPEG"] = DUET_TURBOJPEG_VERSION;  // the library cannot be asked
  json["libpng"] = png_get_libpng_ver(nullptr);
  json["libwebp"] = webp_version();
  json["Boost"] = triple(BOOST_VERSION, 100000, 100);
  json["prometheus-cpp"] = prometheus_version();
  json["civetweb"] = mg_version();
  json["fmt"] = triple(FMT_VERSION, 10000, 100);
  json["nlohmann-json"] = fmt::format("{}.{}.{}", NLOHMANN_JSON_VERSION_MAJOR, NLOHMANN_JSON_VERSION_MINOR, NLOHMANN_JSON_VERSION_PATCH);
  json["xxHash"] = triple(XXH_versionNumber(), 10000, 100);
  if (load_cuda) json["CUDA plugin"] = cuda_version();
  return json;
}

}  // namespace duet
