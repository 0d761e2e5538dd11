#include "turns.h"

#include <mutex>

namespace chainrule {

void run_in_turn(const std::function<void()>& work) {
  static std::mutex* turn = new std::mutex;  // never destroyed: a thread may outlive main
  std::lock_guard<std::mutex> taken(*turn);
  work();
}

}  // namespace chainrule
