"""The training loop, presets, compressors, the rate term, quantisation-aware fine-tuning."""
