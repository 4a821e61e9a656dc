"""Neural fields: occupancy and radiance, their configs and networks."""

from fieldlr.fields.field import Field as Field
from fieldlr.fields.occupancy import OccupancyField
from fieldlr.fields.radiance import RadianceField
from fieldlr.system.registry import Registry

FIELDS: Registry[type[Field]] = Registry("field", OccupancyField, RadianceField)


def field_for(kind: str) -> type[Field]:
    """The field class for a kind of source: photos, mesh or volume."""
    return RadianceField if kind == "photos" else OccupancyField
