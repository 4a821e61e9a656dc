"""Rate-distortion studies: fits, their files, curves of what the files decode to."""
