#pragma once
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "base/file.h"

namespace duet {

/// What a Python program prints; for readers of our files that share no code with their writers. Fails the test when it does not end well.
inline std::string run_python(const std::string& program, const std::vector<std::filesystem::path>& arguments) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "program.py", program);
  auto command = "/usr/bin/python3 '" + (folder / "program.py").string() + "'";
  for (const auto& argument : arguments) command += " '" + argument.string() + "'";
  command += " > '" + (folder / "out").string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0) << program << "\nneeds python3; launch/setup.sh --tests installs it";
  return read_file(folder / "out");
}

}  // namespace duet
