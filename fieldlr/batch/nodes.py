"""The text of a manifest as plain values, each with its line; what is wrong, all at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fieldlr.errors import FieldlrError
from fieldlr.system.registry import nearest

MOST_BYTES = 1 << 18  # thousands of items
MOST_TOLD = 20


class Mistakes:
    """What is wrong with a manifest, each with its line."""

    def __init__(self, path: Path):
        self.path = path
        self._found: list[tuple[int, str]] = []

    def add(self, line: int, text: str) -> None:
        self._found.append((line, text))

    @contextmanager
    def noted(self, line: int) -> Iterator[None]:
        """A FieldlrError in the block is a mistake of that line."""
        try:
            yield
        except FieldlrError as error:
            self.add(line, str(error))

    def raise_any(self) -> None:
        """FieldlrError where there were mistakes."""
        lines = [f"{self.path}, line {line}: {text}" for line, text in sorted(self._found)]
        if len(lines) > MOST_TOLD:
            lines[MOST_TOLD:] = [f"and {len(lines) - MOST_TOLD} more."]
        if lines:
            raise FieldlrError("\n".join(lines))


def read_nodes(path: Path) -> Any:
    """The tree of a YAML text, of which nothing is made yet."""
    if find_spec("yaml") is None:
        raise FieldlrError("a manifest needs PyYAML. Get it: pip install pyyaml.")
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
        raise FieldlrError(f"{path} is not text in UTF-8. Save it as that.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise FieldlrError(f"{path}{where}: this is not YAML ({error.problem}).") from None
    except (yaml.YAMLError, RecursionError) as error:
        reason = "it is too deep" if isinstance(error, RecursionError) else str(error)
        raise FieldlrError(f"{path} is not YAML ({reason}).") from None
    if node is None:
        raise FieldlrError(f"{path} is empty. A manifest has a list of `items`.")
    return node


def line_of(node: Any) -> int:
    return node.start_mark.line + 1


def mapping_of(node: Any, known: Iterable[str], mistakes: Mistakes) -> dict[str, Any]:
    """The nodes of a mapping by key; unknown and repeated keys are mistakes."""
    if node.id != "mapping":
        mistakes.add(line_of(node), f"here stand `key: value` pairs; got {said(node)}.")
        return {}
    found: dict[str, Any] = {}
    for key, value in node.value:
        name, line = said(key), line_of(key)
        if key.id != "scalar" or name not in known:
            mistakes.add(line, f"there is no key `{name}` here. {nearest(name, known)}")
        elif name in found:
            mistakes.add(line, f"`{name}` stands here twice. Leave one out.")
        else:
            found[name] = value
    return found


def sequence_of(node: Any, mistakes: Mistakes) -> list[Any]:
    """The nodes of a list."""
    if node.id == "sequence":
        return node.value
    mistakes.add(line_of(node), f"here stands a list, each line with a `-`; got {said(node)}.")
    return []


def plain_of(node: Any) -> Any:
    """A text, a number, true or false, or a list of such. FieldlrError for anything else."""
    import yaml

    if node.id == "sequence" and all(one.id == "scalar" for one in node.value):
        return [plain_of(one) for one in node.value]
    if node.id != "scalar":
        raise FieldlrError(f"a value or a list of values stands here; got {said(node)}.")
    try:
        return yaml.constructor.SafeConstructor().construct_object(node)
    except (yaml.YAMLError, ValueError, OverflowError):
        raise FieldlrError(f"{said(node)} is no value that can be read.") from None


def said(node: Any) -> str:
    """A node in few words."""
    if node.id != "scalar":
        return f"a {'list' if node.id == 'sequence' else node.id}"
    return node.value if len(node.value) <= 60 else f"{node.value[:57]}..."
