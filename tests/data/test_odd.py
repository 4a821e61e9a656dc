"""What a user will upload one day: files with triangles work, the others end in a sentence."""

import pytest

from fieldlr.data.mesh import can_read, read
from fieldlr.errors import FieldlrError

SHEET, OPEN = "thickness of two voxels", "not watertight"

# file: (share of full voxels at 48 voxels, words of its warnings), or the words of its error
TABLE = {
    "empty.obj": "holds no triangle",
    "empty.ply": "holds no triangle",
    "empty.stl": "holds no triangle",
    "face_in_group_name.obj": "1 point and no triangle",
    "multibody.stl": (0.0196, ["2 bodies"]),
    "nancolor.obj": (0.770, []),
    "negative_indices.obj": (0.770, []),
    "not_convex.obj": (0.094, []),
    "notenoughindices.obj": (0.20, [OPEN, SHEET]),
    "points_bin.ply": "5 points and no triangle",
    "quadknot.obj": (0.187, []),
    "shared.STL": (0.363, []),
    "singlevn.obj": (0.42, [OPEN, SHEET]),
    "soup.stl": (0.30, [OPEN, "100 bodies"]),
    "whitespace.off": (0.376, []),
}


@pytest.mark.parametrize("name", TABLE)
def test_odd_files(data_dir, name):
    path, outcome = data_dir / "odd" / name, TABLE[name]
    assert can_read(path)
    if isinstance(outcome, str):
        with pytest.raises(FieldlrError, match=outcome):
            read(path, 48)
        return
    fraction, words = outcome
    volume = read(path, 48)
    assert volume.fraction == pytest.approx(fraction, rel=0.05)
    assert all(any(word in warning for warning in volume.warnings) for word in words)
    assert bool(words) == bool(volume.warnings)


def test_the_table_has_a_row_for_every_file(data_dir):
    assert {path.name for path in (data_dir / "odd").iterdir()} == set(TABLE)
