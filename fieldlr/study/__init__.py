"""Rate-distortion studies: fits, their files, curves of what the files decode to."""

from fieldlr.study.study import Study as Study
from fieldlr.study.study import StudyReport as StudyReport
from fieldlr.study.sweep import Sweep as Sweep
