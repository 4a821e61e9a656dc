"""A field to views: samplers, the occupancy grid, compositing, images, camera paths."""
