"""What this machine has for fieldlr, what is missing, and how to install it."""

from __future__ import annotations

import os
import platform
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any

import torch

from fieldlr.nn.execution import tinycudann
from fieldlr.system.probing import PROBE_SECONDS, failure

SPEED_SECONDS = 1.5  # per number format; there are two
MATRIX_ROWS, MATRIX_WIDTH = 4096, 256  # a chunk of points through a hidden layer


@dataclass(frozen=True)
class Part:
    """An optional package: its name, its purpose and how to install it."""

    module: str
    distribution: str
    use: str
    remedy: str
    probe: str | None = None  # a statement that tests it; None: being installed is enough


PARTS = (
    Part(
        "open3d",
        "open3d",
        "cross-checks voxelisation in tests; otherwise unused",
        "pip install open3d; where a library is missing: "
        "apt-get install libegl1 libgl1 libx11-6 libusb-1.0-0",
        "import open3d",
    ),
    Part(
        "igl",
        "libigl",
        "inside and outside of open meshes and of inconsistent winding",
        "pip install 'fieldlr[mesh]'",
        "import igl",
    ),
    Part("lxml", "lxml", "reads .3mf meshes", "pip install 'fieldlr[mesh]'", "import lxml.etree"),
    Part(
        "collada", "pycollada", "reads .dae meshes", "pip install 'fieldlr[mesh]'", "import collada"
    ),
    Part(
        "embreex",
        "embreex",
        "renders the bundled scenes; otherwise unused",
        "pip install embreex",
        "import embreex.rtcore_scene",
    ),
    Part(
        "imageio_ffmpeg",
        "imageio-ffmpeg",
        "MP4 videos",
        "pip install 'fieldlr[video]'",
        "import imageio_ffmpeg; imageio_ffmpeg.get_ffmpeg_exe()",
    ),
    Part(
        "numba",
        "numba",
        "photos on a CPU: grids and rays by compiled loops, twice as fast as by torch",
        "pip install 'fieldlr[fast]'",
    ),
    Part(
        "constriction",
        "constriction",
        "the entropy coder of .flr files: large ones decode twenty times as fast with it",
        "pip install 'fieldlr[codec]'",
        "import constriction",
    ),
    Part("gradio", "gradio", "the web app", "pip install 'fieldlr[app]'"),
    Part(
        "pycolmap",
        "pycolmap",
        "camera poses for photos that have none",
        "pip install 'fieldlr[poses]'",
        "import pycolmap",
    ),
    Part(
        "distributed",
        "dask[distributed]",
        "batches over several machines",
        "pip install 'fieldlr[cluster]'",
    ),
    Part(
        "tinycudann",
        "tinycudann",
        "grids and small networks on NVIDIA GPUs",
        "on a machine with an NVIDIA GPU and its compiler: "
        "pip install --no-build-isolation -r requirements-cuda.txt",
        tinycudann.PROBE,
    ),
)


def examine() -> dict[str, Any]:
    """What this machine has, as plain values: the JSON of `fieldlr doctor`."""
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(examine_part, PARTS))
    parts = {part.module: state for part, state in zip(PARTS, found, strict=True)}
    return {
        "fieldlr": _version("fieldlr"),
        "python": platform.python_version(),
        "system": platform.platform(),
        "torch": torch.__version__,
        "device": "cuda" if torch.cuda.is_available() else "cpu",
        "cuda": _cuda(),
        "cpu": _cpu(),
        "parts": parts,
        "ffmpeg": shutil.which("ffmpeg"),
        "speed": {"fp32_gflops": _gflops(torch.float32), "bf16_gflops": _gflops(torch.bfloat16)},
        "missing": [
            {"what": part.distribution, "why": part.use, "how": part.remedy}
            for part in PARTS
            if not parts[part.module]["works"]
        ],
    }


def describe(report: dict[str, Any]) -> str:
    """The report of `examine` as a table for people."""
    lines = [f"{name:<16}{text}" for name, text in _rows(report)]
    if report["missing"]:
        lines += ["", "Missing, all of it optional:"]
    for item in report["missing"]:
        lines += [f"  {item['what']}: {item['why']}", f"      {item['how']}"]
    return "\n".join(lines)


def _rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    cpu, speed = report["cpu"], report["speed"]
    features = [name for name, present in cpu["features"].items() if present]
    fp32, bf16 = speed["fp32_gflops"], speed["bf16_gflops"]
    return [
        ("fieldlr", report["fieldlr"] or "not installed"),
        ("Python", f"{report['python']} on {report['system']}"),
        ("torch", f"{report['torch']}, device {report['device']}"),
        ("CPU", f"{cpu['name']}, {cpu['cores']} cores, {cpu['threads']} threads in use"),
        ("", f"has {', '.join(features) or 'no wide registers'}; torch uses {cpu['capability']}"),
        ("CUDA", report["cuda"]["device"] or report["cuda"]["reason"]),
        ("speed", f"float32 {fp32:.0f}, bfloat16 {bf16:.0f} GFLOP/s"),
        *((module, _state(part)) for module, part in report["parts"].items()),
        ("ffmpeg", report["ffmpeg"] or "not on the path (imageio-ffmpeg brings its own)"),
    ]


def _state(part: dict[str, Any]) -> str:
    return part["version"] or "works" if part["works"] else f"no: {part['reason']}"


def examine_part(part: Part) -> dict[str, Any]:
    """Whether a package works, tested in a subprocess: a native library may crash."""
    if util.find_spec(part.module) is None:
        return {"works": False, "version": None, "reason": "not installed"}
    reason = failure(part.probe, PROBE_SECONDS) if part.probe else None
    return {"works": reason is None, "version": _version(part.distribution), "reason": reason}


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _cuda() -> dict[str, Any]:
    if torch.cuda.is_available():
        return {"device": torch.cuda.get_device_name(), "reason": None}
    if torch.version.cuda is None:
        return {"device": None, "reason": "this torch is built for CPUs only"}
    return {"device": None, "reason": "no CUDA device found"}


def _cpu() -> dict[str, Any]:
    """The CPU and the features that matter here: wide registers and matrix units."""
    described = _proc_cpuinfo()
    flags = set(described.get("flags", described.get("Features", "")).split())
    return {
        "name": described.get("model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "features": {
            "AVX2": "avx2" in flags,
            "AVX-512": "avx512f" in flags,
            "AVX-512 BF16": "avx512_bf16" in flags,
            "AMX BF16": "amx_bf16" in flags,
        },
    }


def _proc_cpuinfo() -> dict[str, str]:
    """The first CPU's entry in /proc/cpuinfo; empty where there is no such file."""
    try:
        text = Path("/proc/cpuinfo").read_text(errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}


def _gflops(dtype: torch.dtype) -> float:
    """Multiply-adds of a hidden layer, two operations each, in 10^9 a second."""
    points = torch.ones(MATRIX_ROWS, MATRIX_WIDTH, dtype=dtype)
    weight = torch.ones(MATRIX_WIDTH, MATRIX_WIDTH, dtype=dtype)
    out = points @ weight  # The first product also prepares the kernel.
    count, start = 0, time.perf_counter()
    while (seconds := time.perf_counter() - start) < SPEED_SECONDS:
        torch.mm(points, weight, out=out)
        count += 1
    return 2e-9 * MATRIX_ROWS * MATRIX_WIDTH**2 * count / seconds
