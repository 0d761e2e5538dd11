"""`python -m chainrule`: the command line, where the program `chainrule` is not on the path."""

from chainrule.cli.main import main

if __name__ == "__main__":
    main()
