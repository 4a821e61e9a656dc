"""Renders views of a field: samplers, occupancy grid, compositing, images, camera paths."""
