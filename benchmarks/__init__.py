"""How fast chainrule is, beside its peers, in one run: `python -m benchmarks.run`.

cases.py       the networks and their data
contenders/    the same training, written well with each library
timing.py      as long a measurement for each, taken in turn
steps.py       what an Adam step costs
fits.py        whole fits of the built-in data sets, by scikit-learn's interface
search/workers.py   fits and start-up in a process of their own
targets.py     what was promised, beside what was measured
report.py      the tables, docs/benchmarks.md
picture.py     and its picture
"""
