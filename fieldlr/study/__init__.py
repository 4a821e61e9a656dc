"""Rate-distortion studies: fits over backbones, ranks and seeds, their curves and BD figures."""

from fieldlr.study.bd import BdFigure as BdFigure
from fieldlr.study.bd import bd_figure as bd_figure
from fieldlr.study.curve import RDCurve as RDCurve
from fieldlr.study.curve import RDPoint as RDPoint
from fieldlr.study.curve import read_curve as read_curve
from fieldlr.study.curve import write_curve as write_curve
from fieldlr.study.study import Study as Study
from fieldlr.study.study import StudyReport as StudyReport
