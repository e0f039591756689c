#pragma once
#include <atomic>
#include <string>

namespace duet {

/// How this process was started decides what signals mean.
///
///                        USR1, USR2           TERM                             INT, HUP
///   supervised           save and stop        a peer died: leave at once, 76   ignored (the supervisor gets it too)
///   launched (mpirun)    save and stop        save and stop, if time allows    ignored
///   alone                save and stop        save and stop                    save and stop; a second INT leaves at once
///
/// HUP, the end of the terminal, stays ignored where it was at the start (nohup).
/// Supervised: DUET_SUPERVISED in the environment, set by launch/launcher/supervise.
enum class StartedBy { supervised, launched, alone };
StartedBy started_by();

/// Installs the handlers. Once, early in main; before that, signals do what they do by default.
void install_stop_signals();

/// A signal asked this rank to save and stop. Ranks get theirs at different moments: agree (Coordinator, or the step's reduction) before
/// acting on it.
bool stop_requested();
/// "signal TERM", or "asked to by its supervisor" (which says itself why); empty before.
std::string stop_reason();

namespace detail {
/// The signal that asked, 0 before: between its handler and the functions above.
extern std::atomic<int> stop_signal;
}  // namespace detail

}  // namespace duet
