"""Files and folders that appear whole or not at all, and locks that nobody can leave behind."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import IO

from fieldlr.errors import FieldlrError

# What `replacing` writes to: a name that nothing else has, so that `sweep` may remove it.
DRAFT = re.compile(r"\..+\.part-[a-z0-9_]{8}(\.[^.]*)?")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    What was at `path` is lost in no case: the new file is on the disk before it is moved, and the
    move is on the disk before the block is left.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _swept_once(path.parent)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}.part-", path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "rb") as held:
            if not _taken(held):
                held.close()  # There are no such locks here, and open files cannot be moved.
            yield temporary
            # mkstemp makes files that only their owner can read; this is as open as any new file.
            temporary.chmod(0o666 & ~_umask())
            with open(temporary, "rb") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
        _folder_to_disk(path.parent)
    except OSError as error:
        raise refused(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Removes what writers that were killed have left there; who still writes keeps his file."""
    if os.name == "nt" or not folder.is_dir():
        return
    for draft in folder.iterdir():
        if DRAFT.fullmatch(draft.name):
            with suppress(OSError), open(draft, "r+b") as file:
                # A file that is a moment old may not be locked yet.
                old = time.time() - draft.stat().st_mtime > 1.0
                if old and _taken(file):
                    draft.unlink()


def is_empty(folder: Path) -> bool:
    """Whether nothing is there but what is being written, or was when its writer was killed."""
    return all(DRAFT.fullmatch(path.name) for path in folder.iterdir())


@lru_cache(maxsize=1024)
def _swept_once(folder: Path) -> None:
    # Once per process is enough: what is swept was left by processes that are no more.
    sweep(folder)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block ends well.

    FieldlrError where something is there already: a folder is never mixed with another.
    """
    path = Path(path).resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FieldlrError(f"{path} holds something already. Choose another place, or empty it.")
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp("", f".{path.name}-", path.parent))
        yield temporary
        temporary.chmod(0o777 & ~_umask())
        if path.exists():
            path.rmdir()
        os.replace(temporary, path)
    except OSError as error:
        raise refused(path, error) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def lock(path: Path) -> Iterator[bool]:
    """Whether this process now holds the lock; it goes with the process, however that ends."""
    try:
        file = open(path, "a+b")
    except OSError as error:
        raise refused(path, error) from None
    with file:
        yield _locked_on_windows(file) if os.name == "nt" else _taken(file)


def link(path: Path, other: Path) -> None:
    """Makes `other` the file at `path` under one more name, or a copy where that cannot be."""
    try:
        other.unlink(missing_ok=True)
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def refused(path: Path, error: OSError) -> FieldlrError:
    """The sentence for a place that cannot be written."""
    reason = error.strerror or error
    return FieldlrError(f"{path} cannot be written ({reason}). Choose another place.")


def _taken(file: IO[bytes]) -> bool:
    """Whether an open file is now this process's; False where there are no such locks."""
    if os.name == "nt":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _locked_on_windows(file: IO[bytes]) -> bool:
    assert os.name == "nt"  # Elsewhere pyright finds no such functions.
    import msvcrt

    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def _folder_to_disk(folder: Path) -> None:
    # Some systems and file systems know no such thing; there the move is on its way all the same.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def make_folder(folder: Path) -> None:
    """A folder that exists; FieldlrError where there can be none."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FieldlrError(
            f"the folder {folder} cannot be made ({error.strerror}). Give another `out`."
        ) from None
