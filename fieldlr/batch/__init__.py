"""Batches: a manifest of many sources is validated, run and reported."""

from fieldlr.batch.batch import Batch as Batch
from fieldlr.batch.batch import BatchReport as BatchReport
from fieldlr.batch.manifest import read_manifest as read_manifest
