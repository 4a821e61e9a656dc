"""Tasks: what it means to fit each kind of source."""

from fieldlr.training.tasks.occupancy import OccupancyTask as OccupancyTask
from fieldlr.training.tasks.radiance import RadianceTask as RadianceTask
from fieldlr.training.tasks.task import Task as Task
