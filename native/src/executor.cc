#include "executor.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace chainrule {
namespace {

struct Job {
  const std::function<void()>* work;
  std::exception_ptr error;
  std::condition_variable finished;
  bool done = false;
};

class Executor {
 public:
  Executor() { std::thread([this] { serve(); }).detach(); }

  void run(const std::function<void()>& work) {
    Job job{&work, nullptr, {}, false};
    std::unique_lock<std::mutex> lock(mutex_);
    jobs_.push_back(&job);
    arrived_.notify_one();
    job.finished.wait(lock, [&] { return job.done; });
    if (job.error) std::rethrow_exception(job.error);
  }

 private:
  void serve() {
    std::unique_lock<std::mutex> lock(mutex_);
    for (;;) {
      arrived_.wait(lock, [this] { return !jobs_.empty(); });
      Job* job = jobs_.front();
      jobs_.pop_front();
      lock.unlock();
      std::exception_ptr error;
      try {
        (*job->work)();
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      job->error = error;
      job->done = true;
      job->finished.notify_one();  // under the lock: the job lives in the caller's frame
    }
  }

  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Job*> jobs_;
};

}  // namespace

void run_in_turn(const std::function<void()>& work) {
  static Executor* executor = new Executor;  // never destroyed: its thread outlives main
  executor->run(work);
}

}  // namespace chainrule
