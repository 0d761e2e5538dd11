"""The same training with each library, written as its own manual would.

Each file has one function: (case, epochs) -> run, and run() trains for that many epochs and returns
when the last step is done. Float32, Adam at 0.001, He's initial weights or the library's own. The
order of the examples is drawn before, except where the library draws it itself.
"""
