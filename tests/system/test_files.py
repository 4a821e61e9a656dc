"""Files and folders appear whole or not at all."""

import os
import subprocess
import sys
import time

import pytest

from fieldlr.errors import FieldlrError
from fieldlr.system.files import new_folder, replacing, sweep


@pytest.mark.parametrize("exists", [False, True])
def test_a_folder_appears_when_it_is_whole(tmp_path, exists):
    path = tmp_path / "below" / "new"
    if exists:
        path.mkdir(parents=True)
    with new_folder(path) as folder:
        (folder / "a.txt").write_text("a")
        assert not path.exists() or not list(path.iterdir())
    assert [file.name for file in path.parent.iterdir()] == ["new"]
    assert (path / "a.txt").read_text() == "a"
    assert path.stat().st_mode == tmp_path.joinpath("below").stat().st_mode


def test_a_failed_new_folder_is_removed(tmp_path):
    with pytest.raises(RuntimeError), new_folder(tmp_path / "new") as folder:
        (folder / "a.txt").write_text("a")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("make", ["folder", "file"])
def test_existing_files_are_left_alone(tmp_path, make):
    path = tmp_path / "old"
    kept = path / "a.txt" if make == "folder" else path
    kept.parent.mkdir(exist_ok=True)
    kept.write_text("a")
    with pytest.raises(FieldlrError, match="is not empty"), new_folder(path):
        pytest.fail("the block must not be entered")
    assert kept.read_text() == "a"


def test_a_place_that_cannot_be_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FieldlrError, match="cannot be written"), new_folder(tmp_path / "file/new"):
        pytest.fail("the block must not be entered")


WRITER = """
import sys, time
from fieldlr.system.files import replacing
with replacing(sys.argv[1]) as draft:
    draft.write_text("half")
    print(draft, flush=True)
    time.sleep(60)
"""


def test_leftovers_of_killed_writers_are_removed_and_open_files_are_not(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    words = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as writer:
        draft = tmp_path / os.path.basename(writer.stdout.readline().strip())
        os.utime(draft, (time.time() - 60,) * 2)
        sweep(tmp_path)
        assert draft.read_text() == "half"
        writer.kill()
    assert path.read_text() == "old"
    (tmp_path / ".a.part-of-mine.txt").touch()
    sweep(tmp_path)
    assert sorted(file.name for file in tmp_path.iterdir()) == [".a.part-of-mine.txt", "a.txt"]


def test_a_block_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as draft:
        draft.write_text("new")
        raise RuntimeError
    assert [file.read_text() for file in tmp_path.iterdir()] == ["old"]
