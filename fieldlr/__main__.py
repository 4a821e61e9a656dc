"""`python -m fieldlr`: the command line."""

from fieldlr.cli import main

main()
