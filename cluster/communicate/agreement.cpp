#include "cluster/communicate/agreement.h"

#include <exception>
#include <new>

#include "base/error.h"

namespace duet {

void on_all_or_none(Communicator& communicator, const std::function<void()>& work) {
  std::exception_ptr own;
  std::string message;
  auto status = ExitStatus::internal;
  try {
    work();
  } catch (const Error& error) {
    own = std::current_exception();
    status = error.status();
    message = error.what();
  } catch (const std::bad_alloc&) {
    own = std::current_exception();
    status = ExitStatus::unavailable;
    message = "the memory of its machine, or of the job, is used up.";
  } catch (const std::exception& error) {
    own = std::current_exception();
    message = error.what();
  }
  const auto rank = communicator.all_reduce(static_cast<std::int64_t>(own ? communicator.rank() : communicator.size()), ReduceOp::min);
  if (rank == communicator.size()) return;
  auto code = static_cast<std::int64_t>(status);
  communicator.broadcast(std::span(&code, 1), static_cast<int>(rank));
  communicator.broadcast_string(message, static_cast<int>(rank));
  if (own) std::rethrow_exception(own);
  throw Error(static_cast<ExitStatus>(code), fmt::format("rank {}: {}", rank, message));
}

}  // namespace duet
