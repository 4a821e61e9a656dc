"""The house stands: who imports whom, what is never written, what `import fieldlr` costs.

The order of the rooms is the one in docs/rooms.py; everything else is read off the imports.
"""

import ast
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
PACKAGE = REPOSITORY / "fieldlr"
FILES = sorted(PACKAGE.rglob("*.py"))

# Third parties and the rooms that may import them.
SHAPES = {"data", "surface", "metrics", "export"}
HOMES = {
    "open3d": SHAPES,
    "igl": SHAPES,
    "trimesh": SHAPES,
    "embreex": SHAPES,
    "fast_simplification": SHAPES,
    "mcubes": {"surface"},
    "skimage": {"surface"},
    "PIL": {"data", "export", "pictures", "study/baselines"},
    "imageio": {"data", "export"},
    "imageio_ffmpeg": {"system"},
    "constriction": {"codec"},
    "safetensors": {"runs"},
    "DracoPy": {"study/baselines"},
    "imagecodecs": {"study/baselines"},
    "plotly": {"pictures"},
    "matplotlib": {"pictures"},
    "dask": {"jobs/workers"},
    "distributed": {"jobs/workers"},
    "yaml": {"batch"},
    "gradio": {"app"},
    "fastapi": {"app"},
    "starlette": {"app"},
    "uvicorn": {"app"},
    "psutil": {"jobs"},
    "tyro": {"cli/verbs"},
    "tinycudann": {"nn/execution"},
    "numba": {"nn/execution"},
    "pycolmap": {"data"},
    "IPython": {"api"},
}
EVERYWHERE = {"torch", "numpy", "scipy", "jaxtyping"}
# Types of which a public signature says the shape: `Float[Tensor, "n 3"]`.
SHAPELESS = {"Tensor", "torch.Tensor", "np.ndarray", "nn.Parameter"}

NAMES_THAT_SAY_NOTHING = {"utils", "common", "core", "base", "misc", "helpers"}
MODULES_NEVER_IMPORTED = {"pickle", "cPickle", "dill", "joblib", "marshal", "shelve"}
MOST_LINES = 300
# What the rooms may add up to: a house that one sees at a glance.
MOST_ROOMS, MOST_FLOORS, MOST_ARROWS = 28, 12, 172


def script(name: str):
    """A script of docs/ as a module."""
    spec = importlib.util.spec_from_file_location(name, REPOSITORY / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rooms = script("rooms")
# Above all rooms: the package's face and the entry point, which nobody imports from inside.
ORDER = (*rooms.ROOMS, "__init__", "__main__")


def room_of(path: Path) -> str:
    """The folder of a file, or the file itself where it lies at the top of the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "/".join(parts[:-1]) or parts[0]


def module_path(name: str) -> Path | None:
    """The file of a dotted name within the package, if it is a module."""
    place = REPOSITORY.joinpath(*name.split("."))
    options = (place.with_suffix(".py"), place / "__init__.py")
    return next((path for path in options if path.is_file()), None)


def imported_modules(path: Path, tree: ast.AST) -> list[tuple[int, str]]:
    """(line, dotted module) of every import, also of those inside functions."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                parents = path.relative_to(REPOSITORY).parts[: -node.level]
                module = ".".join([*parents, *filter(None, [module])])
            # `from fieldlr.data import mesh` names a module, `... errors import X` does not.
            below = [f"{module}.{alias.name}" for alias in node.names]
            found += [(node.lineno, name if module_path(name) else module) for name in below]
    return list(dict.fromkeys(found))


def broken_import_rules(path: Path, source: str) -> list[str]:
    """A sentence for every import of `source`, taken as the text of `path`, that breaks a rule."""
    own, broken = room_of(path), []
    for line, module in imported_modules(path, ast.parse(source)):
        top = module.split(".")[0]
        if top == "fieldlr":
            target = module_path(module)
            other = room_of(target) if target else module
            if other not in ORDER:
                broken.append(f"line {line}: there is no room {other}")
            elif other != own and ORDER.index(other) >= ORDER.index(own):
                broken.append(f"line {line}: {own} must not import {other}, which is above it")
        elif top in MODULES_NEVER_IMPORTED:
            broken.append(f"line {line}: {top} runs or trusts what a file says")
        elif top not in sys.stdlib_module_names | EVERYWHERE and own not in HOMES.get(top, ()):
            homes = ", ".join(sorted(HOMES.get(top, ()))) or "nowhere"
            broken.append(f"line {line}: {top} is at home in {homes}, not in {own}")
    return broken


def arrows() -> dict[str, set[str]]:
    """The rooms that each room imports."""
    found: dict[str, set[str]] = {room: set() for room in rooms.ROOMS}
    for path in FILES:
        for _, module in imported_modules(path, ast.parse(path.read_text())):
            target = module_path(module)
            if target is not None and room_of(path) in found:
                found[room_of(path)].add(room_of(target))
    return {room: others - {room} for room, others in found.items()}


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


def public_functions(tree: ast.AST, within: str = "") -> Iterator[tuple[str, ast.FunctionDef]]:
    """(dotted name, function) of what can be called from outside: not what begins with `_`."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node, f"{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            if not node.name.startswith("_") or node.name.endswith("__"):
                yield within + node.name, node


def shapeless(annotation: ast.AST) -> bool:
    """Whether a type of tensors stands there without a shape."""
    if isinstance(annotation, ast.Subscript) and isinstance(annotation.slice, ast.Tuple):
        last = annotation.slice.elts[-1]
        if isinstance(last, ast.Constant) and isinstance(last.value, str):
            return False  # Float[Tensor, "n 3"]
    if isinstance(annotation, ast.Name | ast.Attribute):
        return ast.unparse(annotation) in SHAPELESS
    return any(shapeless(child) for child in ast.iter_child_nodes(annotation))


def unannotated(source: str) -> list[str]:
    """What public signatures of `source` leave open."""
    found = []
    for name, function in public_functions(ast.parse(source)):
        arguments = function.args
        parameters = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        parameters += [one for one in (arguments.vararg, arguments.kwarg) if one is not None]
        typed = {one.arg: one.annotation for one in parameters if one.arg not in ("self", "cls")}
        if function.name != "__init__":
            typed["return"] = function.returns
        found += [f"{name}: {key} has no type" for key, value in typed.items() if value is None]
        found += [f"{name}: {k} has no shape" for k, v in typed.items() if v and shapeless(v)]
    return found


def name_of(path: Path) -> str:
    return str(path.relative_to(PACKAGE))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_file_keeps_the_rules(path):
    source = path.read_text()
    assert broken_import_rules(path, source) == []
    assert forbidden_habits(source) == []
    assert len(source.splitlines()) <= MOST_LINES, "two ideas: make it two files"
    assert unannotated(source) == []


def test_the_list_of_rooms_is_the_package():
    assert {room_of(path) for path in FILES} == set(ORDER)
    parts = {part for path in FILES for part in path.relative_to(PACKAGE).with_suffix("").parts}
    assert not parts & NAMES_THAT_SAY_NOTHING


def test_the_drawing_stays_small():
    drawn, floors = arrows(), {}
    for room in rooms.ROOMS:
        floors[room] = 1 + max((floors[other] for other in drawn[room]), default=0)
    assert len(drawn) <= MOST_ROOMS
    assert max(floors.values()) <= MOST_FLOORS
    assert sum(map(len, drawn.values())) <= MOST_ARROWS


def test_every_room_says_what_it_is_for_and_the_map_is_of_today():
    assert all(rooms.summary(room) for room in rooms.ROOMS)
    page = (REPOSITORY / "CONTRIBUTING.md").read_text()
    assert rooms.with_drawing(page) == page, "run python docs/rooms.py"


def test_tests_mirror_the_package():
    """A folder of tests has the name of a room, but for those of the whole."""
    whole = {"benchmarks", "docs", "fuzz", "golden", "studies"}
    parents = {"/".join(Path(room).parts[:-1]) for room in rooms.ROOMS}
    tests = REPOSITORY / "tests"
    folders = {str(path.parent.relative_to(tests)) for path in tests.rglob("*.py")} - {"."}
    assert folders <= {*rooms.ROOMS, *parents, *whole}


@pytest.mark.parametrize(
    "file, source, complaint",
    [
        ("fields/field.py", "from fieldlr.training.loop import fit", "must not import training"),
        ("nn/mlp.py", "from fieldlr.data.scene import Scene", "must not import data"),
        ("nn/mlp.py", "from fieldlr import data", "must not import data"),
        ("nn/mlp.py", "from ..data.scene import Scene", "must not import data"),
        ("nn/mlp.py", "def f():\n    import fieldlr.__main__", "must not import __main__"),
        ("nn/mlp.py", "import fieldlr", "must not import __init__"),
        ("nn/linears/full.py", "from fieldlr.nn.mlp import Mlp", "must not import nn"),
        ("geometry/cameras.py", "from fieldlr.nn.mlp import Mlp", "must not import nn"),
        ("cli/progress.py", "from fieldlr.helpers import x", "no room fieldlr.helpers"),
        ("cli/progress.py", "import gradio as gr", "at home in app"),
        ("nn/mlp.py", "import requests", "at home in nowhere"),
        ("runs/run.py", "import pickle", "trusts"),
    ],
)
def test_the_check_sees_a_broken_import(file, source, complaint):
    (broken,) = broken_import_rules(PACKAGE / file, source)
    assert complaint in broken


@pytest.mark.parametrize(
    "source",
    [
        "import torch, math\nfrom fieldlr.errors import FieldlrError",
        "from fieldlr.nn.mlp import Mlp",
        "from . import field",
        "from .field import Field",
        "from ..geometry.rays import Rays",
        "from fieldlr.system.version import __version__",
    ],
)
def test_the_check_lets_the_rooms_below_in(source):
    assert broken_import_rules(PACKAGE / "fields" / "field.py", source) == []


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


@pytest.mark.parametrize(
    "source, complaint",
    [
        ("def f(x): ...", ["f: x has no type", "f: return has no type"]),
        ("def f(x: Tensor) -> int: ...", ["f: x has no shape"]),
        ("def f() -> tuple[int, np.ndarray]: ...", ["f: return has no shape"]),
        (
            "class A:\n    def g(self, *a: int) -> list[Tensor] | None: ...",
            ["A.g: return has no shape"],
        ),
        ("def f(x: Float[Tensor, 'n 3'], y: dict[str, Bool[np.ndarray, ' n']]) -> None: ...", []),
        ("def _f(x): ...\nclass _A:\n    def g(self, x): ...", []),
    ],
)
def test_the_check_sees_missing_annotations(source, complaint):
    assert unannotated(source) == complaint


def test_the_check_lets_good_habits_pass():
    source = "model.eval()\nyaml.safe_load(t)\nnp.load(p, allow_pickle=False)\nre.compile(t)"
    assert forbidden_habits(source) == []


# A submodule of torch or numpy that was not needed before is still torch or numpy.
KNOWN = {"fieldlr", "torch", "numpy", "jaxtyping", "wadler_lindig"}
SLOW = {"scipy", "trimesh", "gradio", "matplotlib", "plotly", "igl", "open3d", "dask"}
ROOMS = ("api.fitting", "runs", "data.in_memory", "nn", "cli.verbs.line")


@pytest.fixture(scope="module")
def imported():
    """What of others each room brings along beside torch and numpy."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork: torch is loaded once for all rooms")
    script = (
        "import importlib, json, os, sys, numpy, torch\n"
        "before = set(sys.modules)\n"
        f"for room in {ROOMS}:\n"
        "    if not os.fork():\n"
        "        importlib.import_module(f'fieldlr.{room}')\n"
        "        new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "        print(json.dumps([room, [*new]]), flush=True)\n"
        "        os._exit(0)\n"
        "    assert os.wait()[1] == 0, room\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return {room: set(new) - KNOWN for room, new in map(json.loads, done.stdout.splitlines())}


def test_importing_fieldlr_loads_nothing_and_changes_nothing():
    script = (
        "import os, sys, warnings, signal\n"
        "before = dict(os.environ), set(sys.modules), signal.getsignal(signal.SIGINT)\n"
        "import fieldlr\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before[1]}\n"
        "assert not new - set(sys.stdlib_module_names) - {'fieldlr'}, new\n"
        "assert (dict(os.environ), signal.getsignal(signal.SIGINT)) == (before[0], before[2])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_version_is_answered_at_once():
    script = "import sys, fieldlr.__main__; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert not {*SLOW, "torch", "numpy"} & set(done.stdout.split()) and done.returncode == 0


@pytest.mark.parametrize("room", ["api.fitting", "runs", "data.in_memory", "nn"])
def test_the_library_imports_torch_and_numpy_alone(room, imported):
    assert not imported[room] & {*SLOW, "PIL"}


def test_the_command_line_starts_without_what_few_verbs_need(imported):
    assert not imported["cli.verbs.line"] & SLOW
