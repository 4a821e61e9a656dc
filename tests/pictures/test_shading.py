"""The picture of a mesh: its outline, its order in depth, its colours."""

import numpy as np
import trimesh

from fieldlr.geometry.triangles import TriangleMesh
from fieldlr.pictures.shading import shade

LOOKING_DOWN = np.array([[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 5]])  # from z = 5


def square(x0, x1, z, color) -> TriangleMesh:
    corners = np.array([[x0, -1, z], [x1, -1, z], [x1, 1, z], [x0, 1, z]], float)
    return TriangleMesh(corners, np.array([[0, 1, 2], [0, 2, 3]]), np.full((4, 3), color, np.uint8))


def test_a_square_lies_where_the_camera_projects_it():
    picture = shade(square(0.0, 1.0, 0.0, (200, 0, 0)), LOOKING_DOWN, 100.0, 60, 50, supersample=1)
    red = picture[..., 1] < 128
    expected = np.zeros((50, 60), bool)
    expected[5:45, 30:50] = True  # +x is right; 100 / 5 pixels a unit
    assert (red == expected).all()
    assert (picture[~expected] == 255).all()


def test_the_nearer_surface_wins_in_either_order():
    near, far = square(-1, 1, 1.0, (0, 0, 250)), square(-1, 1, 0.0, (250, 0, 0))
    for one, two in ((near, far), (far, near)):
        both = TriangleMesh(
            np.concatenate([one.vertices, two.vertices]),
            np.concatenate([one.faces, two.faces + 4]),
            np.concatenate([one.colors, two.colors]),
        )
        middle = shade(both, LOOKING_DOWN, 100.0, 40, 40)[20, 20]
        assert middle[2] > 100 > 10 > middle[0]


def test_the_background_is_the_colour_that_was_asked_for():
    blue = (51 / 255, 102 / 255, 153 / 255)
    own = square(0.0, 1.0, 0.0, (200, 0, 0))
    picture, plain = (
        shade(own, LOOKING_DOWN, 100.0, 60, 50, background=color)
        for color in (blue, (1.0, 1.0, 1.0))
    )
    outside = (plain == 255).all(-1)
    assert outside.any() and (picture[outside] == (51, 102, 153)).all()
    assert (picture[25, 40] == plain[25, 40]).all()


def test_points_behind_the_camera_are_not_drawn():
    behind = square(-1, 1, 6.0, (0, 0, 0))
    assert (shade(behind, LOOKING_DOWN, 100.0, 20, 20) == 255).all()


def test_a_ball_is_round_smooth_and_lit_from_above():
    body = trimesh.creation.icosphere(3)
    ball = TriangleMesh(np.asarray(body.vertices), np.asarray(body.faces))
    from_the_side = np.array([[1.0, 0, 0, 0], [0, 0, -1, -5], [0, 1, 0, 0]])
    picture = shade(ball, from_the_side, 200.0, 120, 120)[..., 0].astype(int)
    inside = picture < 250
    radius = 200.0 / np.sqrt(24.0)
    assert abs(inside.sum() / (np.pi * radius**2) - 1.0) < 0.05
    assert picture[35:40, 60].mean() > picture[80:85, 60].mean() + 20
    assert np.abs(np.diff(picture[60, 30:90])).max() < 12
