"""What all stands on: files that appear whole, memory, processes; options and registries."""
