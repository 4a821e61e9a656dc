"""Functions of space: occupancy and radiance, and what they are made of."""
