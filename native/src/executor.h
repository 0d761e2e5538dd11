// One thread that runs every kernel, and with it one OpenMP team.
//
// XLA calls from any of its threads, several at a time. libgomp keeps a team for each thread that
// opens a parallel region, and teams beside each other fight for the cores. So the calls take turns
// on a thread of our own; the caller sleeps until its turn is over.
#pragma once

#include <functional>

namespace chainrule {

// Runs `work` on the thread and waits for it. What it throws is thrown here.
void run_in_turn(const std::function<void()>& work);

}  // namespace chainrule
