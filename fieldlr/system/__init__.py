"""Infrastructure: atomic files, memory limits, process setup, options and registries."""
