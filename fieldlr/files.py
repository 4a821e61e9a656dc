"""Files and folders that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fieldlr.errors import FieldlrError


@contextmanager
def replacing(path: Path | str) -> Iterator[Path]:
    """A temporary path beside `path` that takes its place when the block ends well.

    What was at `path` is lost in no case: the new file is on the disk before it is moved.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(path.suffix, f".{path.stem}-", path.parent)
        os.close(handle)
        temporary = Path(name)
        yield temporary
        # mkstemp makes files that only their owner can read; this one is as open as any new file.
        temporary.chmod(0o666 & ~_umask())
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _refused(path, error) from None
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


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
        raise _refused(path, error) from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _refused(path: Path, error: OSError) -> FieldlrError:
    reason = error.strerror or error
    return FieldlrError(f"{path} cannot be written ({reason}). Choose another place.")


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
