"""The rooms of the package, from the ground up, and the map of them in CONTRIBUTING.md.

    python docs/rooms.py     writes the map anew

A room is a folder of modules, or a module that lies beside the folders. It imports only rooms
before its own: ROOMS is the one list of them, which `tests/test_house.py` holds the imports to.
"""

from __future__ import annotations

import ast
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "fieldlr"
ROOMS = (
    "errors",
    "system",
    "jobs/workers",
    "jobs",
    "geometry",
    "metrics",
    "nn/linears",
    "nn/encodings",
    "nn/execution",
    "nn",
    "data",
    "pictures",
    "export",
    "fields",
    "surface",
    "codec",
    "rendering",
    "training/optim",
    "training/tasks",
    "training",
    "runs",
    "study/baselines",
    "study",
    "batch",
    "app",
    "cli",
    "api",
    "cli/verbs",
)
FIRST, LAST = "<!-- rooms: written by docs/rooms.py -->\n", "<!-- end of rooms -->\n"


def summary(room: str) -> str:
    """The first line of a room's docstring."""
    folder = PACKAGE / room
    file = folder / "__init__.py" if folder.is_dir() else folder.with_suffix(".py")
    return (ast.get_docstring(ast.parse(file.read_text())) or "").partition("\n")[0]


def drawing() -> str:
    """The map: a line a room, the highest first."""
    names = {r: r + ("/" if (PACKAGE / r).is_dir() else ".py") for r in ROOMS}
    width = max(map(len, names.values()))
    lines = [f"{names[room]:<{width}}  {summary(room)}" for room in reversed(ROOMS)]
    return "\n".join(["```", *lines, "```", ""])


def with_drawing(text: str) -> str:
    """A page with the map between its two marks."""
    before, _, rest = text.partition(FIRST)
    return before + FIRST + drawing() + LAST + rest.partition(LAST)[2]


if __name__ == "__main__":
    page = REPOSITORY / "CONTRIBUTING.md"
    page.write_text(with_drawing(page.read_text()))
