"""Tasks: what it means to fit each kind of source."""

from fieldlr.tasks.occupancy import OccupancyTask as OccupancyTask
from fieldlr.tasks.radiance import RadianceTask as RadianceTask
from fieldlr.tasks.task import Task as Task
