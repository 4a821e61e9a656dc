"""Atomic writing of files and folders, and locks that end with their process."""

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

# The names of `replacing`'s temporary files, distinctive so that `sweep` may remove them.
DRAFT = re.compile(r"\..+\.part-[a-z0-9_]{8}(\.[^.]*)?")


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` that replaces it when the block succeeds.

    The old file is never lost: the new one is synced to disk before it is moved, and the move
    before the block is left.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _swept_once(path.parent)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}.part-", path.parent)
        temporary = Path(name)
        with os.fdopen(handle, "rb") as held:
            if not _acquired(held):
                held.close()  # No such locks on this system, where open files cannot be moved.
            yield temporary
            # mkstemp makes files private to their owner; apply the default permissions.
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
    """Removes temporary files of killed writers, but not those still being written."""
    if os.name == "nt" or not folder.is_dir():
        return
    for draft in folder.iterdir():
        if DRAFT.fullmatch(draft.name):
            with suppress(OSError), open(draft, "r+b") as file:
                # A very recent file may not be locked yet.
                old = time.time() - draft.stat().st_mtime > 1.0
                if old and _acquired(file):
                    draft.unlink()


def is_empty(folder: Path) -> bool:
    """Whether a folder has no files except temporary ones."""
    return all(DRAFT.fullmatch(path.name) for path in folder.iterdir())


@lru_cache(maxsize=1024)
def _swept_once(folder: Path) -> None:
    # Once per process is enough: only files of earlier processes are removed.
    sweep(folder)


@contextmanager
def new_folder(path: Path | str) -> Iterator[Path]:
    """A temporary folder beside `path` that becomes `path` when the block succeeds.

    Raises FieldlrError if `path` exists and is not an empty folder.
    """
    path = Path(path).resolve()
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise FieldlrError(f"{path} exists and is not empty. Choose another path, or empty it.")
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
    """Whether this process acquired the lock; it is released when the process ends in any way."""
    try:
        file = open(path, "a+b")
    except OSError as error:
        raise refused(path, error) from None
    with file:
        yield _locked_on_windows(file) if os.name == "nt" else _acquired(file)


def link(path: Path, other: Path) -> None:
    """Makes `other` a hard link to `path`, or a copy where links are not supported."""
    try:
        other.unlink(missing_ok=True)
        os.link(path, other)
    except OSError:
        shutil.copyfile(path, other)


def refused(path: Path, error: OSError) -> FieldlrError:
    """The error for a path that cannot be written."""
    reason = error.strerror or error
    return FieldlrError(f"{path} cannot be written ({reason}). Choose another path.")


def _acquired(file: IO[bytes]) -> bool:
    """Whether this process acquired a lock on an open file; False if not supported."""
    if os.name == "nt":
        return False
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _locked_on_windows(file: IO[bytes]) -> bool:
    assert os.name == "nt"  # for pyright: msvcrt exists only there
    import msvcrt

    try:
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    except OSError:
        return False
    return True


def _folder_to_disk(folder: Path) -> None:
    # Not supported by some file systems, which write the move on their own.
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
    """Creates a folder if necessary; raises FieldlrError if that fails."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FieldlrError(
            f"the folder {folder} cannot be created ({error.strerror}). Choose another `out`."
        ) from None
