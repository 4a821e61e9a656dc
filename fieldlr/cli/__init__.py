"""The command line: progress, the demo, the report on the machine."""
