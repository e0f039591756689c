#pragma once
#include "cluster/ranks/world.h"

/// The ranks of this test program (tests/rank_main.cpp). MPI can be initialised once in a process, so all cases share them.
duet::World& test_world();
