"""Rate-distortion studies: fits, their files, the curves of what these decode to, BD figures."""

from fieldlr.study.bd import BdFigure as BdFigure
from fieldlr.study.bd import bd_figure as bd_figure
from fieldlr.study.bd import bd_table as bd_table
from fieldlr.study.curve import RDCurve as RDCurve
from fieldlr.study.curve import RDPoint as RDPoint
from fieldlr.study.curve import read_curve as read_curve
from fieldlr.study.curve import write_curve as write_curve
from fieldlr.study.study import Study as Study
from fieldlr.study.study import StudyReport as StudyReport
from fieldlr.study.sweep import Sweep as Sweep
