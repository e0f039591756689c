#include "cluster/communicate/operation_queue.h"

#include <utility>

#include "base/thread.h"
#include "base/time.h"

namespace duet {

struct OperationQueue::Task {
  std::function<void()> operation;
  Stopwatch since;
  double seconds = 0;
  bool done = false;
  std::exception_ptr error;
  std::mutex mutex;
  std::condition_variable changed;
};

class OperationQueue::TaskCompletion : public Completion {
 public:
  explicit TaskCompletion(std::shared_ptr<Task> task) : task_(std::move(task)) {}
  void do_wait() override {
    std::unique_lock lock(task_->mutex);
    task_->changed.wait(lock, [&] { return task_->done; });
    if (task_->error) std::rethrow_exception(task_->error);
  }
  bool done() override {
    std::lock_guard lock(task_->mutex);
    return task_->done;
  }
  double seconds() const override {
    std::lock_guard lock(task_->mutex);
    return task_->seconds;
  }

 private:
  std::shared_ptr<Task> task_;
};

OperationQueue::~OperationQueue() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<Completion> OperationQueue::start(std::function<void()> operation) {
  auto task = std::make_shared<Task>();
  task->operation = std::move(operation);
  {
    std::lock_guard lock(mutex_);
    if (!thread_.joinable()) thread_ = start_thread(name_, [this] { work(); });
    tasks_.push_back(task);
  }
  changed_.notify_all();
  return std::make_unique<TaskCompletion>(std::move(task));
}

void OperationQueue::run(const std::function<void()>& operation) {
  {
    std::unique_lock lock(mutex_);
    if (busy_ || !tasks_.empty()) {
      lock.unlock();
      start(operation)->wait();
      return;
    }
    busy_ = true;
  }
  std::exception_ptr error;
  try {
    perform(operation);
  } catch (...) {
    error = std::current_exception();
  }
  {
    std::lock_guard lock(mutex_);
    busy_ = false;
  }
  changed_.notify_all();
  if (error) std::rethrow_exception(error);
}

bool OperationQueue::failed() const {
  std::lock_guard lock(mutex_);
  return failure_ != nullptr;
}

void OperationQueue::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return (!tasks_.empty() && !busy_) || (ending_ && tasks_.empty()); });
    if (tasks_.empty()) return;
    auto task = tasks_.front();
    tasks_.pop_front();
    busy_ = true;
    lock.unlock();
    try {
      perform(task->operation);
    } catch (...) {
      task->error = std::current_exception();
    }
    // The turn ends before the waiter wakes, so that its next run() finds the queue free.
    lock.lock();
    busy_ = false;
    lock.unlock();
    {
      std::lock_guard task_lock(task->mutex);
      task->operation = nullptr;
      task->seconds = task->since.seconds();
      task->done = true;
    }
    task->changed.notify_all();
    changed_.notify_all();
    lock.lock();
  }
}

void OperationQueue::perform(const std::function<void()>& operation) {
  {
    std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
  }
  try {
    operation();
  } catch (...) {
    std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
    throw;
  }
}

namespace {
class Completed : public Completion {
 public:
  void do_wait() override {}
  bool done() override { return true; }
  double seconds() const override { return 0; }
};
}  // namespace

std::unique_ptr<Completion> completed() { return std::make_unique<Completed>(); }

}  // namespace duet
