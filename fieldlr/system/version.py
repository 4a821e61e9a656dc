"""The version of fieldlr."""

__version__ = "0.1.0"
