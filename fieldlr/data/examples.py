"""The scenes and meshes that ship with the project."""

from __future__ import annotations

from pathlib import Path

from fieldlr.errors import FieldlrError

# name -> where it lies under a folder that holds scenes/ and meshes/
EXAMPLES: dict[str, str] = {
    "windmill": "scenes/windmill",
    "shelf": "scenes/shelf",
    "courtyard": "scenes/courtyard",
    "vase": "meshes/vase.ply",
    "clockwork": "meshes/clockwork.stl",
    "coral": "meshes/coral.ply",
    "rook": "meshes/rook.obj",
    "chain": "meshes/chain.glb",
}

_PACKAGE = Path(__file__).resolve().parents[1]
# An installed wheel carries the examples inside the package; a checkout has them beside it.
_ROOTS = (_PACKAGE / "examples_data", _PACKAGE.parent)


def example(name: str) -> Path:
    """The path of a bundled scene (a folder) or mesh (a file): one of `EXAMPLES`."""
    if name not in EXAMPLES:
        raise FieldlrError(f"there is no example '{name}': choose one of {', '.join(EXAMPLES)}.")
    for root in _ROOTS:
        path = root / EXAMPLES[name]
        if path.exists():
            return path
    raise FieldlrError(
        f"the example '{name}' needs {EXAMPLES[name]}, which is not in this installation: "
        "install fieldlr from a wheel or run it from a checkout."
    )
