"""
How far apart two stations are: straight over the ground, for want of the line's own kilometres.
"""

from math import asin, cos, radians, sin, sqrt

from ticket.importers.normalised import Station

EARTH_RADIUS_KM = 6371.0


def kilometres(one: Station, other: Station) -> float:
    """Give the great-circle distance; both stations must have coordinates."""
    south, west, north, east = (
        radians(value or 0.0)
        for value in (one.latitude, one.longitude, other.latitude, other.longitude)
    )
    half = sin((north - south) / 2) ** 2 + cos(south) * cos(north) * sin((east - west) / 2) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(half))
