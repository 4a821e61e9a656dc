"""The machine: files that appear whole, memory, processes, probing, stopping, durations."""
