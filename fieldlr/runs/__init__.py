"""The run folder, and the operations on a run: fit, evaluate, mesh, render, compress."""

from fieldlr.runs.run import Run as Run
from fieldlr.runs.run import check_new as check_new
from fieldlr.runs.run import create_run as create_run
from fieldlr.runs.run import empty_field as empty_field
from fieldlr.runs.run import open_folder as open_folder
from fieldlr.runs.run import open_run as open_run
