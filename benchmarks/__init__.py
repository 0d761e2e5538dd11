"""How fast chainrule is, beside its peers, in one run: `python -m benchmarks.run`.

cases.py       the networks and their data
contenders/    the same training, written well with each library
timing.py      as long a measurement for each, taken in turn
steps.py       what an Adam step costs
processes.py   whole fits and start-up, each in a process of its own
targets.py     what was promised, beside what was measured
report.py      the tables, docs/benchmarks.md and its picture
"""
