import json
from pathlib import Path

import pytest

from fieldlr import codec
from fieldlr.errors import FieldlrError
from fieldlr.runs.page import make_page
from tests.codec import fields

ROOK = Path(__file__).resolve().parents[1] / "golden" / "rook.flr"


def entries(path: Path) -> list[dict[str, str]]:
    text = path.read_text()
    return json.loads(text.split('id="fields">')[1].split("</script>")[0])


def test_a_page_carries_the_files_themselves_and_pictures_of_photos(tmp_path):
    scene, page = tmp_path / "scene.flr", tmp_path / "page.html"
    scene.write_bytes(codec.encode(fields.radiance(width=8, depth=1), 4.0, fields.PHOTOS))
    result = make_page([ROOK, scene], page)
    assert result == {
        "out": str(page),
        "num_bytes": page.stat().st_size,
        "fields": ["rook", "scene"],
    }
    rook, photos = entries(page)
    assert "picture" not in rook and photos["picture"].startswith("data:image/jpeg;base64,")
    assert "<title>rook, scene</title>" in page.read_text()


def test_a_still_page_shows_a_picture_without_a_script(tmp_path):
    page = tmp_path / "page.html"
    make_page([ROOK], page, "A rook", still=True)
    assert "<script" not in page.read_text() and "data:image/jpeg" in page.read_text()


@pytest.mark.parametrize(
    "targets, out, says",
    [
        ([ROOK], "page.pdf", r"\.html"),
        ([], "page.html", "at least one"),
        ([Path("nowhere.flr")], "page.html", "nowhere"),
        ([ROOK.with_name("asked.flr")], "page.html", "keeps no cameras"),
    ],
)
def test_a_mistake_writes_nothing(targets, out, says, tmp_path):
    with pytest.raises(FieldlrError, match=says):
        make_page(targets, tmp_path / out)
    assert not list(tmp_path.iterdir())
