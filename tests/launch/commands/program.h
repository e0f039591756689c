#pragma once
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <cstdlib>
#include <string>

#include "base/file.h"

namespace duet {

struct Outcome {
  int status;
  std::string out, error;
};

inline Outcome duet(const std::string& arguments) {
  TemporaryFolder folder;
  const auto out = (folder / "out").string(), error = (folder / "error").string();
  const auto command = std::string(DUET_PROGRAM) + " " + arguments + " >" + out + " 2>" + error;
  const int result = std::system(command.c_str());
  return {WIFEXITED(result) ? WEXITSTATUS(result) : -1, read_file(out), read_file(error)};
}

}  // namespace duet
