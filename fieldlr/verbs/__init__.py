"""The verbs of the command line: each a dataclass of its flags, whose `run` gives the JSON."""

from fieldlr.verbs.app import App
from fieldlr.verbs.batch import Batch
from fieldlr.verbs.bd import Bd
from fieldlr.verbs.check import Check
from fieldlr.verbs.compress import Compress
from fieldlr.verbs.demo import Demo
from fieldlr.verbs.doctor import Doctor
from fieldlr.verbs.eval import Eval
from fieldlr.verbs.fit import Fit
from fieldlr.verbs.mesh import Mesh
from fieldlr.verbs.poses import Poses
from fieldlr.verbs.render import Render
from fieldlr.verbs.spectrum import Spectrum
from fieldlr.verbs.study import Study

VERBS = {
    "check": Check,
    "poses": Poses,
    "fit": Fit,
    "eval": Eval,
    "render": Render,
    "mesh": Mesh,
    "spectrum": Spectrum,
    "compress": Compress,
    "study": Study,
    "bd": Bd,
    "batch": Batch,
    "app": App,
    "demo": Demo,
    "doctor": Doctor,
}
