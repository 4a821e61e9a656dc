"""The house stands: who may import whom, what is never written, what `import fieldlr` costs."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "fieldlr"
FILES = sorted(PACKAGE.rglob("*.py"))

# A file imports only from lower floors or from its own room.
FLOORS = {
    "__version__": 0,  # `from fieldlr import __version__`: a constant, not a room
    "errors": 0,
    "files": 0,
    "probing": 0,
    "memory": 0,
    "geometry": 0,
    "cameras": 0,
    "triangles": 0,
    "linears": 1,
    "encodings": 1,
    "activations": 1,
    "metrics": 1,
    "pictures": 1,
    "examples": 1,
    "execution": 2,
    "process": 2,
    "fields": 3,
    "data": 3,
    "rendering": 4,
    "surface": 4,
    "gauss_newton": 4,
    "muon": 4,
    "codec": 4,
    "tasks": 5,
    "training": 6,
    "export": 6,
    "packed": 6,
    "rate": 6,
    "presets": 7,
    "runs": 7,
    "compression": 7,
    "pipeline": 8,
    "packing": 9,
    "products": 8,
    "checking": 9,
    "filming": 9,
    "previews": 9,
    "progress": 9,
    "stopping": 9,
    "workers": 9,
    "jobs": 9,
    "study": 10,
    "batch": 11,
    "ui": 12,
    "demo": 12,
    "doctor": 12,
    "verbs": 13,
    "cli": 14,
    "__init__": 15,  # the public names
    "__main__": 15,
}

# The ground floor is a short stair of its own: cameras and triangles speak of rays and boxes.
STEPS = {
    "__version__": 0,
    "errors": 0,
    "files": 1,
    "memory": 1,
    "probing": 1,
    "geometry": 1,
    "cameras": 2,
    "triangles": 2,
}

SHAPES = {"data", "surface", "metrics", "export"}
HOMES = {
    "open3d": SHAPES,
    "igl": SHAPES,
    "trimesh": SHAPES,
    "embreex": SHAPES,
    "fast_simplification": SHAPES,
    "mcubes": {"surface"},
    "PIL": {"data", "export", "pictures", "study"},
    "imageio": {"data", "export"},
    "imageio_ffmpeg": {"export"},
    "constriction": {"codec"},
    "safetensors": {"runs"},
    "DracoPy": {"study"},
    "plotly": {"pictures"},
    "matplotlib": {"pictures"},
    "dask": {"workers"},
    "distributed": {"workers"},
    "yaml": {"batch"},
    "gradio": {"ui"},
    "fastapi": {"ui"},
    "starlette": {"ui"},
    "uvicorn": {"ui"},
    "psutil": {"jobs"},
    "tyro": {"cli", "verbs"},
    "rich": {"cli"},
    "tinycudann": {"execution"},
    "pycolmap": {"data"},
}
EVERYWHERE = {"torch", "numpy", "scipy"}

NAMES_THAT_SAY_NOTHING = {"utils", "common", "core", "base", "misc", "helpers"}
MODULES_NEVER_IMPORTED = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
MOST_LINES = 300


def room(path: Path) -> str:
    """The folder or file directly under the package that `path` belongs to."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imported_modules(path: Path, tree: ast.AST) -> list[tuple[int, str]]:
    """(line, dotted name) of every import, also of those inside functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = path.relative_to(PACKAGE.parent).parts[: -node.level]
                module = ".".join([*parents, *filter(None, [module])])
            # `from fieldlr import linears` names a room, `from fieldlr.errors import X` a thing.
            below = [f"{module}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name) for name in (below if module == "fieldlr" else [module])]
    return found


def may_import(importer: str, imported: str) -> bool:
    if importer == imported:
        return True
    if FLOORS[importer] == FLOORS[imported] == 0:
        return STEPS[importer] > STEPS[imported]
    return FLOORS[importer] > FLOORS[imported]


def broken_import_rules(path: Path, source: str) -> list[str]:
    """A sentence for every import of `source`, taken as the text of `path`, that breaks a rule."""
    own, broken = room(path), []
    for line, module in imported_modules(path, ast.parse(source)):
        top, *rest = module.split(".")
        if top == "fieldlr":
            other = rest[0] if rest else "__init__"
            if other not in FLOORS:
                broken.append(f"line {line}: {module} has no floor: give it one in FLOORS")
            elif not may_import(own, other):
                broken.append(f"line {line}: {own} must not know {other}: it is not a floor below")
        elif top in MODULES_NEVER_IMPORTED:
            broken.append(f"line {line}: {top} runs or trusts what a file says")
        elif top not in sys.stdlib_module_names | EVERYWHERE and own not in HOMES.get(top, ()):
            homes = ", ".join(sorted(HOMES.get(top, ()))) or "nowhere"
            broken.append(f"line {line}: {top} is at home in {homes}, not in {own}")
    return broken


def keyword(call: ast.Call, name: str) -> object:
    """The constant given for a keyword of a call; None where it is absent or computed."""
    values = [word.value for word in call.keywords if word.arg == name]
    return values[0].value if values and isinstance(values[0], ast.Constant) else None


def forbidden_call(call: ast.Call) -> str | None:
    name = ast.unparse(call.func)
    if name in {"eval", "exec", "compile", "__import__"}:
        return f"{name} runs text"
    if name in {"yaml.load", "yaml.unsafe_load", "yaml.full_load"}:
        return f"{name} makes objects: use yaml.safe_load"
    if name == "torch.load" and keyword(call, "weights_only") is not True:
        return "torch.load unpickles: use safetensors, or weights_only=True"
    if name in {"np.load", "numpy.load"} and keyword(call, "allow_pickle") is not False:
        return "np.load must say allow_pickle=False"
    return None


def forbidden_habits(source: str) -> list[str]:
    """A sentence for every construct of `source` that this project never uses."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(f"line {node.lineno}: a bare except hides bugs")
        elif isinstance(node, ast.Call) and (reason := forbidden_call(node)):
            found.append(f"line {node.lineno}: {reason}")
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_keeps_the_rules(path):
    source = path.read_text()
    assert broken_import_rules(path, source) == []
    assert forbidden_habits(source) == []
    assert len(source.splitlines()) <= MOST_LINES, "two ideas: make it two files"


def test_every_room_has_a_floor_and_a_name_that_says_something():
    assert {room(path) for path in FILES} <= set(FLOORS)
    parts = {part for path in FILES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not parts & NAMES_THAT_SAY_NOTHING


@pytest.mark.parametrize(
    "file, source, complaint",
    [
        ("fields/mlp.py", "from fieldlr.training import fit", "must not know training"),
        ("fields/mlp.py", "from fieldlr.data.scene import Scene", "must not know data"),
        ("fields/mlp.py", "from fieldlr import data", "must not know data"),
        ("fields/mlp.py", "from ..data.scene import Scene", "must not know data"),
        ("fields/mlp.py", "def f():\n    import fieldlr.cli", "must not know cli"),
        ("fields/mlp.py", "import fieldlr", "must not know __init__"),
        ("geometry.py", "from fieldlr.cameras import Cameras", "must not know cameras"),
        ("cli.py", "from fieldlr.helpers import x", "has no floor"),
        ("cli.py", "import gradio as gr", "at home in ui"),
        ("fields/mlp.py", "import requests", "at home in nowhere"),
        ("runs.py", "import pickle", "trusts"),
    ],
)
def test_the_check_sees_a_broken_import(file, source, complaint):
    (broken,) = broken_import_rules(PACKAGE / file, source)
    assert complaint in broken


@pytest.mark.parametrize(
    "source",
    [
        "import torch, math\nfrom fieldlr.errors import FieldlrError",
        "from fieldlr.fields.field import Field",
        "from . import field",
        "from .field import Field",
        "from ..geometry import Rays",
        "from fieldlr import __version__",
    ],
)
def test_the_check_lets_the_floors_below_in(source):
    assert broken_import_rules(PACKAGE / "fields" / "mlp.py", source) == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "yaml.load(text)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "try:\n    f()\nexcept:\n    pass",
    ],
)
def test_the_check_sees_a_bad_habit(source):
    assert len(forbidden_habits(source)) == 1


def test_the_check_lets_good_habits_pass():
    source = "model.eval()\nyaml.safe_load(t)\nnp.load(p, allow_pickle=False)\nre.compile(t)"
    assert forbidden_habits(source) == []


def imported(module):
    """What of others a module brings along beside torch and numpy."""
    script = (
        "import sys, numpy, torch\n"
        "before = set(sys.modules)\n"
        f"import {module}\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(*sorted(new - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # A submodule of torch or numpy that was not needed before is still torch or numpy.
    return set(done.stdout.split()) - {"fieldlr", "torch", "numpy"}


def test_importing_fieldlr_costs_torch_and_numpy_alone():
    assert imported("fieldlr") == set()


def test_the_command_line_starts_without_what_few_verbs_need():
    slow = {"scipy", "trimesh", "gradio", "matplotlib", "plotly", "igl", "open3d", "dask"}
    assert not imported("fieldlr.cli") & slow
