"""The parts of `tests/validation/interruptions.py`.

stories.py     processes that are told what to do and when to be killed, a few at a time
work.py        the commands that are interrupted: trainings of every kind, searches, galleries
kills.py       kill -9 at random moments, until each command is done
failures.py    every write failed once
damage.py      flipped bits and files cut short
swaps.py       files exchanged between two runs, searches or galleries
races.py       two commands at the same time in the same place
"""
