"""The training loop, presets, the rate term, and quantisation-aware fine-tuning."""
