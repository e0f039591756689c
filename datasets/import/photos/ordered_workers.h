#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/error.h"

namespace duet {

/// Does the same work on many tasks with several threads, and hands the results out in the order in which the tasks were put in, so that
/// what is made of them does not depend on the threads. Bounded: put() only while not full(). put() and take() from one thread.
template <typename Task, typename Result>
class OrderedWorkers {
 public:
  /// Throws Unavailable when the threads cannot be started.
  OrderedWorkers(int threads, std::function<Result(const Task&)> work)
      : work_(std::move(work)), capacity_(static_cast<std::size_t>(threads) * 4) {
    try {
      for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
    } catch (const std::system_error& error) {
      stop();
      throw Unavailable(
          "{} threads of an import cannot be started: {}. The limits on processes and memory (ulimit -u, -v) stand against it; take fewer "
          "(--threads).",
          threads, error.what());
    }
  }

  /// Tasks that nobody began are dropped, those under way are waited for.
  ~OrderedWorkers() { stop(); }
  OrderedWorkers(const OrderedWorkers&) = delete;
  OrderedWorkers& operator=(const OrderedWorkers&) = delete;

  bool full() const { return results_.size() >= capacity_; }
  bool empty() const { return results_.empty(); }

  void put(Task task) {
    std::packaged_task<Result()> job([this, task = std::move(task)] { return work_(task); });
    results_.push_back(job.get_future());
    {
      const std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    wake_.notify_one();
  }

  /// The result of the oldest task; waits for it. Throws what its work threw.
  Result take() {
    auto result = std::move(results_.front());
    results_.pop_front();
    return result.get();
  }

 private:
  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  void run() {
    while (true) {
      std::packaged_task<Result()> job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
        if (stopping_) return;
        job = std::move(jobs_.front());
        jobs_.pop_front();
      }
      job();
    }
  }

  std::function<Result(const Task&)> work_;
  std::size_t capacity_;
  std::deque<std::future<Result>> results_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::packaged_task<Result()>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace duet
