"""Boxes, rays, frames and spaces, cameras, triangle meshes: all coordinate conventions.

Conventions of the whole package, stated here and nowhere else:

* World: right-handed, +Z up. A mesh or volume lives in the user's own coordinates; a photo scene
  lives in an internal frame, and `Similarity` says how to come back to the user's.
* Camera: OpenGL: +X right, +Y up, looking along -Z. `camera_to_world` is 3 x 4, `[R | t]`.
* Pixel (column x, row y) has its centre at (x + 0.5, y + 0.5); (0, 0) is the top left corner.
* Ray directions are of unit length, so `t` is a distance in world units.
* Points are float tensors whose last axis is 3.
"""
