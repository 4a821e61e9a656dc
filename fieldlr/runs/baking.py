"""Colours of a surface as a picture on its mesh."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, UInt8

from fieldlr.geometry.texture import Texture
from fieldlr.geometry.triangles import TriangleMesh, unit
from fieldlr.surface.atlas import lay_out, texels

# Points (M, 3) and unit normals (M, 3) to colours (M, 3).
Colors = Callable[[Float[np.ndarray, "m 3"], Float[np.ndarray, "m 3"]], UInt8[np.ndarray, "m 3"]]


def baked(mesh: TriangleMesh, size: int, colors: Colors) -> Texture:
    """A picture of `size` x `size` pixels for a mesh, each pixel asked at its point of the surface.

    What no face covers has the colour of the nearest pixel that one does, so that the edges of
    charts do not show, however a viewer reads between pixels.
    """
    from scipy.ndimage import distance_transform_edt

    corners = lay_out(mesh, size)
    points_and_normals = np.concatenate(
        [mesh.vertices[mesh.faces], mesh.vertex_normals[mesh.faces]], -1
    )
    _, place, found = texels(corners, size, points_and_normals)
    place, first = np.unique(place, return_index=True)
    image = np.zeros((size * size, 3), np.uint8)
    image[place] = colors(found[first, :3], unit(found[first, 3:]))
    empty = np.ones(size * size, bool)
    empty[place] = False
    found = distance_transform_edt(
        empty.reshape(size, size), return_distances=False, return_indices=True
    )
    rows, columns = np.asarray(found)
    return Texture(corners / size, image.reshape(size, size, 3)[rows, columns])
