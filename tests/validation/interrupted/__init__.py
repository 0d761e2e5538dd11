"""What `tests/validation/interruptions.py` is made of.

stories.py     processes that are told what to do and when to die, a few side by side
kills.py       kill -9 at random moments, until each training is done
searches.py    the same for `chainrule tune`
failures.py    every write failed once
damage.py      flipped bits and files cut short
"""
