"""The verbs of the command line: each a dataclass of its flags, whose `run` gives the JSON."""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from fieldlr.errors import FieldlrError

Size = str
Out = Annotated[Path, tyro.conf.arg(metavar="PATH")]
Source = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="SOURCE")]]
RunFolder = tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]


class Stopped(Exception):
    """The user, or a limit, stopped the work; what is finished is saved (exit code 3)."""

    def __init__(self, message: str, result: dict[str, Any]):
        super().__init__(message)
        self.result = result


@dataclass(frozen=True, kw_only=True)
class Verb:
    json: bool = False
    """Print one JSON object on standard output at the end."""
    quiet: bool = False
    """No progress on standard error."""

    def say(self, text: str) -> None:
        """A line for people, on standard error."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def text(self, result: dict[str, Any]) -> str:
        """The result for people: a line a figure, warnings in full."""
        lines = []
        for name, value in result.items():
            if isinstance(value, float):
                value = f"{value:.5g}"
            if value is not None and not isinstance(value, dict | list | tuple):
                lines.append(f"{name.replace('_', ' '):>24}  {value}")
        return "\n".join([*lines, *(f"warning: {text}" for text in result.get("warnings", ()))])


@dataclass(frozen=True, kw_only=True)
class Check(Verb):
    """Reads a source, says whether it is all right, and trains nothing.

    Example: fieldlr check scenes/windmill --html cameras.html
    """

    source: Source
    html: Path | None = None
    """Draws the cameras, or the shape, in a file for the browser."""
    downscale: int | None = None
    """Divides the size of photos."""
    grid: int | None = None
    """Voxels along the longest edge of a mesh (512)."""

    def run(self) -> dict[str, Any]:
        from fieldlr.checking import check, draw
        from fieldlr.data import open_source

        source = open_source(self.source, self.downscale, self.grid)
        if self.html is not None:
            draw(source, self.html)
        return check(source)


@dataclass(frozen=True, kw_only=True)
class Fit(Verb):
    """Trains a field on photos, a mesh or a volume.

    Example: fieldlr fit meshes/vase.ply --out vase-run --backbone sine-low-rank --rank 5
    """

    source: Source
    out: Out
    """The run folder to make."""
    backbone: Literal["full", "low-rank", "sine-low-rank"] | None = None
    """What the layers store: W (the default), U V^T, or sin(omega U V^T) / g."""
    rank: int | None = None
    """Columns of U and V."""
    omega: float | Literal["auto"] | None = None
    """Frequency of the sine; `auto` follows width and rank."""
    width: int | None = None
    """Neurons of a layer."""
    depth: int | None = None
    """Layers of width x width."""
    activation: Literal["relu", "sine", "gaussian"] | None = None
    encoding: Literal["identity", "frequency", "hash-grid", "dense-grid"] | None = None
    """What a point becomes before the first layer."""
    preset: Literal["quick", "standard", "paper"] = "quick"
    """How large and how long."""
    seconds: float | None = None
    """Ends after so many seconds of training."""
    steps: int | None = None
    """Ends after so many steps; the result then does not depend on the clock."""
    downscale: int | None = None
    """Divides the size of photos."""
    grid: int | None = None
    """Voxels along the longest edge of a mesh (512)."""
    seed: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"
    memory: float | None = None
    """GiB that the fit may take."""
    resume: bool = False
    """Goes on with the run in --out as if it had never stopped."""

    def run(self) -> dict[str, Any]:
        from fieldlr.pipeline import Reconstruction
        from fieldlr.presets import FitOptions
        from fieldlr.progress import shown
        from fieldlr.stopping import stop_requests

        names = [f.name for f in dataclasses.fields(FitOptions)]
        with stop_requests() as stop:
            fit = Reconstruction(
                self.source,
                self.out,
                FitOptions(**{name: getattr(self, name) for name in names}),
                downscale=self.downscale,
                grid=self.grid,
                device=self.device,
                memory_gib=self.memory,
                resume=self.resume,
            )
            for warning in fit.source.content.warnings:
                self.say(f"note: {warning}")
            self.say(
                f"training {fit.state.field.num_parameters:,} parameters on {fit.state.device}"
            )
            for _ in shown(fit.reports(), fit.task.quality_name, self.quiet):
                if stop.requested:
                    return self._stop(fit)
            self.say("evaluating")
            return fit.finish()

    def _stop(self, fit) -> dict[str, Any]:
        fit.checkpoint()
        raise Stopped(
            f"stopped at step {fit.state.step}; what is trained is in {self.out}. Go on with the "
            "same command and --resume.",
            {"run": str(self.out), "steps": fit.state.step, "seconds": fit.state.seconds},
        )


@dataclass(frozen=True, kw_only=True)
class Eval(Verb):
    """Evaluates a run in full against its source.

    Example: fieldlr eval vase-run --json
    """

    target: RunFolder
    source: Path | None = None
    """Where the source is now, if it has moved."""
    resolution: int = 256
    """Samples along the longest edge of the mesh that is judged, for shapes."""

    def run(self) -> dict[str, Any]:
        from fieldlr.pipeline import evaluate
        from fieldlr.runs import open_run

        self.say("evaluating")
        return evaluate(open_run(self.target), self.source, self.resolution)


@dataclass(frozen=True, kw_only=True)
class Render(Verb):
    """Renders views of a run: a .png, a .mp4, or a folder of pictures.

    Example: fieldlr render windmill-run --out orbit.mp4 --frames 90
    """

    target: RunFolder
    out: Out
    """x.png, x.mp4, or a folder."""
    path: str | None = None
    """orbit, spiral, test, or a nerfstudio camera_path.json."""
    frames: int | None = None
    """Views along an orbit or a spiral: 60, or 1 for a .png."""
    size: Size | None = None
    """WIDTHxHEIGHT in pixels."""
    fps: float = 30.0
    """Frames a second of a video."""
    depth_map: bool = False
    """Writes depth too: .npy in the user's units, and a picture of it."""

    def run(self) -> dict[str, Any]:
        from fieldlr.filming import film
        from fieldlr.runs import open_run

        size = _size(self.size)
        frames = film(
            open_run(self.target), self.out, self.path, self.frames, size, self.fps, self.depth_map
        )
        from fieldlr.progress import counted

        written = [str(path) for path in counted(frames, frames.total, "view", self.quiet)]
        return {"out": str(self.out), "frames": frames.total, "files": sorted(set(written))}


@dataclass(frozen=True, kw_only=True)
class Mesh(Verb):
    """Extracts the surface of a run in the frame of its source.

    Example: fieldlr mesh vase-run --out vase.glb --resolution 256
    """

    target: RunFolder
    out: Out
    """x.glb, x.ply, x.obj or x.stl."""
    resolution: int = 256
    """Samples along the longest edge."""
    threshold: float | None = None
    """Where the surface is: a probability for shapes (0.5), a density for photos."""
    largest: bool = False
    """Keeps the largest component alone."""
    faces: int | None = None
    """Simplifies the mesh to at most so many triangles."""
    dense: bool = False
    """Asks the field everywhere, not coarse to fine: the reference."""

    def run(self) -> dict[str, Any]:
        from fieldlr.export import EXPORTERS
        from fieldlr.pipeline import load
        from fieldlr.products import make_mesh
        from fieldlr.surface import decimate, is_watertight

        if self.faces is not None and self.faces < 4:
            raise FieldlrError(f"--faces is the number of triangles, 4 or more; got {self.faces}.")
        kind, write = EXPORTERS.get(self.out.suffix.lower(), (None, None))
        if kind != "mesh":
            known = " ".join(suffix for suffix, (kind, _) in EXPORTERS.items() if kind == "mesh")
            raise FieldlrError(f"a mesh is written as {known}; got {self.out.name}.")
        extraction = make_mesh(
            load(self.target), self.resolution, self.threshold, self.largest, self.dense
        )
        mesh = extraction.mesh
        if self.faces is not None and self.faces < len(mesh.faces):
            mesh = decimate(mesh, self.faces)
        write(mesh, self.out)
        return {
            "out": str(self.out),
            "vertices": len(mesh.vertices),
            "faces": len(mesh.faces),
            "watertight": is_watertight(mesh),
            "evaluations": extraction.evaluations,
            "seconds": round(extraction.seconds, 3),
            "marching_seconds": round(extraction.marching_seconds, 3),
        }


@dataclass(frozen=True, kw_only=True)
class Demo(Verb):
    """The whole journey on a bundled scene and mesh, in under two minutes.

    Example: fieldlr demo --out my-demo
    """

    out: Out = Path("fieldlr-demo")
    """The folder for sheet.png, view.mp4 and mesh.glb."""

    def run(self) -> dict[str, Any]:
        from fieldlr.demo import demo

        return demo(self.out, self.say, self.quiet)


@dataclass(frozen=True, kw_only=True)
class Doctor(Verb):
    """Says what this machine has, what is missing, and how to get it.

    Example: fieldlr doctor
    """

    def run(self) -> dict[str, Any]:
        from fieldlr.doctor import examine

        return examine()

    def text(self, result: dict[str, Any]) -> str:
        from fieldlr.doctor import describe

        return describe(result)


VERBS = {
    "check": Check,
    "fit": Fit,
    "eval": Eval,
    "render": Render,
    "mesh": Mesh,
    "demo": Demo,
    "doctor": Doctor,
}


def _size(text: str | None) -> tuple[int, int] | None:
    """WIDTHxHEIGHT as two numbers."""
    if text is None:
        return None
    width, x, height = text.lower().partition("x")
    if x and width.isdecimal() and height.isdecimal() and 0 < int(width) * int(height) <= 2**26:
        return int(width), int(height)
    raise FieldlrError(f"--size is WIDTHxHEIGHT in pixels, such as 400x300; got {text}.")
