#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "cluster/communicate/communicator.h"

namespace duet {

/// Runs a communicator's operations one after another in the order in which they were handed over. MPI makes no progress unless it is
/// called, so asynchronous operations need a thread; it is started by the first of them. After an operation has failed, all later ones fail
/// with its error, since ranks no longer agree on what comes next. Thread-safe; destruction waits for what is queued.
class OperationQueue {
 public:
  /// `name`: of its thread.
  explicit OperationQueue(std::string name) : name_(std::move(name)) {}
  ~OperationQueue();
  OperationQueue(const OperationQueue&) = delete;
  OperationQueue& operator=(const OperationQueue&) = delete;

  /// Returns at once; the operation runs on the queue's thread. Throws Unavailable where the machine grants none.
  std::unique_ptr<Completion> start(std::function<void()> operation);
  /// Returns when it has run: on the calling thread when nothing is queued, which saves the hand-over.
  void run(const std::function<void()>& operation);
  bool failed() const;

 private:
  struct Task;
  class TaskCompletion;
  void work();
  void perform(const std::function<void()>& operation);  // with the queue's turn taken, the lock not held

  std::string name_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> tasks_;
  bool busy_ = false;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::thread thread_;
};

/// A Completion of something that is over already.
std::unique_ptr<Completion> completed();

}  // namespace duet
