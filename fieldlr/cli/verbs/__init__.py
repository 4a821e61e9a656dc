"""The verbs of the command line: each a dataclass of its flags, whose `run` gives the JSON."""

from fieldlr.cli.verbs.app import App
from fieldlr.cli.verbs.batch import Batch
from fieldlr.cli.verbs.bd import Bd
from fieldlr.cli.verbs.check import Check
from fieldlr.cli.verbs.compress import Compress
from fieldlr.cli.verbs.demo import Demo
from fieldlr.cli.verbs.doctor import Doctor
from fieldlr.cli.verbs.eval import Eval
from fieldlr.cli.verbs.fit import Fit
from fieldlr.cli.verbs.mesh import Mesh
from fieldlr.cli.verbs.page import Page
from fieldlr.cli.verbs.poses import Poses
from fieldlr.cli.verbs.render import Render
from fieldlr.cli.verbs.spectrum import Spectrum
from fieldlr.cli.verbs.study import Study

VERBS = {
    "check": Check,
    "poses": Poses,
    "fit": Fit,
    "eval": Eval,
    "render": Render,
    "mesh": Mesh,
    "spectrum": Spectrum,
    "compress": Compress,
    "page": Page,
    "study": Study,
    "bd": Bd,
    "batch": Batch,
    "app": App,
    "demo": Demo,
    "doctor": Doctor,
}
