"""The run folder, its files, and how they are written."""

from fieldlr.runs.plain import read_json as read_json
from fieldlr.runs.plain import without_nan as without_nan
from fieldlr.runs.plain import write_json as write_json
from fieldlr.runs.plain import write_whole as write_whole
from fieldlr.runs.run import FIELDS as FIELDS
from fieldlr.runs.run import Run as Run
from fieldlr.runs.run import check_new as check_new
from fieldlr.runs.run import create_run as create_run
from fieldlr.runs.run import empty_field as empty_field
from fieldlr.runs.run import make_folder as make_folder
from fieldlr.runs.run import open_run as open_run
