#pragma once

namespace duet {

/// Tells the C library to keep freed memory instead of handing it back to the kernel. Activations of tens of megabytes are freed and needed
/// again in each training step; faulting their pages in anew costs up to half of a step on CPUs. Call once,
/// early in main of a program that trains.
void keep_freed_memory();

}  // namespace duet
