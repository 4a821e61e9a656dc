"""The YAML of a manifest as plain values with line numbers, and collection of its errors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.system.registry import nearest

MOST_BYTES = 1 << 18  # thousands of items
MOST_LISTED = 20


class Mistakes:
    """The errors of a manifest, with their lines."""

    def __init__(self, path: Path):
        self.path = path
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, text: str) -> None:
        self._found.append((line, text))

    @contextmanager
    def noted(self, line: int) -> Iterator[None]:
        """Adds a FieldlrError in the block as an error of that line."""
        try:
            yield
        except FieldlrError as error:
            self.add(line, str(error))

    def raise_any(self) -> None:
        """Raises a FieldlrError that lists all errors, if any."""
        lines = [f"{self.path}, line {line}: {text}" for line, text in sorted(self._found)]
        if len(lines) > MOST_LISTED:
            lines[MOST_LISTED:] = [f"and {len(lines) - MOST_LISTED} more."]
        if lines:
            raise FieldlrError("\n".join(lines))


def read_nodes(path: Path) -> Any:
    """The node tree of a YAML file."""
    if find_spec("yaml") is None:
        raise FieldlrError("a manifest needs PyYAML. Install it with pip install pyyaml.")
    import yaml

    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
        if len(text) > MOST_BYTES:
            raise FieldlrError(f"{path}: a manifest has at most {MOST_BYTES >> 10} KiB. Split it.")
        node = yaml.compose(text.decode(), Loader=yaml.SafeLoader)
    except OSError as error:
        raise FieldlrError(f"the manifest {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise FieldlrError(f"{path} is not UTF-8 text. Save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise FieldlrError(f"{path}{where}: invalid YAML ({error.problem}).") from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FieldlrError(f"{path} is not valid YAML ({reason}).") from None
    if node is None:
        raise FieldlrError(f"{path} is empty. A manifest has a list of `items`.")
    return node


def line_of(node: Any) -> int:
    return node.start_mark.line + 1


def mapping_of(node: Any, known: Iterable[str], mistakes: Mistakes) -> dict[str, Any]:
    """The nodes of a mapping by key; unknown and repeated keys are errors."""
    if node.id != "mapping":
        mistakes.add(line_of(node), f"expected `key: value` pairs; got {shown(node)}.")
        return {}
    found: dict[str, Any] = {}
    for key, value in node.value:
        name, line = shown(key), line_of(key)
        if key.id != "scalar" or name not in known:
            mistakes.add(line, f"there is no key `{name}` here. {nearest(name, known)}")
        elif name in found:
            mistakes.add(line, f"`{name}` is given twice. Remove one.")
        else:
            found[name] = value
    return found


def sequence_of(node: Any, mistakes: Mistakes) -> list[Any]:
    """The nodes of a list."""
    if node.id == "sequence":
        return node.value
    mistakes.add(line_of(node), f"expected a list with a `-` on each line; got {shown(node)}.")
    return []


def plain_of(node: Any) -> Any:
    """A text, number or boolean, or a list of them; raises FieldlrError for anything else."""
    import yaml

    if node.id == "sequence" and all(one.id == "scalar" for one in node.value):
        return [plain_of(one) for one in node.value]
    if node.id != "scalar":
        raise FieldlrError(f"expected a value or a list of values; got {shown(node)}.")
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        raise FieldlrError(f"{shown(node)} is not a valid value.") from None


def shown(node: Any) -> str:
    """A short description of a node."""
    if node.id != "scalar":
        return f"a {'list' if node.id == 'sequence' else node.id}"
    return node.value if len(node.value) <= 60 else f"{node.value[:57]}..."
