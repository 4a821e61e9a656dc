"""Training tasks: the objective for each kind of source."""

from fieldlr.system.registry import Registry
from fieldlr.training.tasks.occupancy import OccupancyTask as OccupancyTask
from fieldlr.training.tasks.radiance import RadianceTask as RadianceTask
from fieldlr.training.tasks.task import Task as Task
from fieldlr.training.tasks.task import TaskKind

TASKS: Registry[TaskKind] = Registry("task", OccupancyTask, RadianceTask)


def task_for(kind: str) -> TaskKind:
    """The task for a kind of source: photos, mesh or volume."""
    return next(task for task in TASKS.values() if kind in task.kinds)
