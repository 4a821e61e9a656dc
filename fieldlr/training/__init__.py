"""The training loop, presets, the rate term, fine-tuning for the file."""
