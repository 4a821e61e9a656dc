"""A manifest of many sources: checked, carried out, reported."""

from fieldlr.batch.batch import Batch as Batch
from fieldlr.batch.batch import BatchReport as BatchReport
from fieldlr.batch.manifest import read_manifest as read_manifest
