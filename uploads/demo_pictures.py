"""Pictures for demo listings: fine line work as on security paper, one drawing per seed, nobody's property.

Five families of curves, one for each kind of category, in the inks of the store's theme. The same family and seed
give the same pixels.
"""

import io
import random
from collections.abc import Callable
from math import cos, pi, sin

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
SIZE = (1600, 1000)
# Drawn twice as large and reduced: Pillow's lines have hard edges.
SCALE = 2
WIDTH, HEIGHT = SIZE[0] * SCALE, SIZE[1] * SCALE
TURN = 2 * pi


def curve_points(curve: Callable[[float], Point], steps: int) -> list[Point]:
    """`curve(t)` for t from 0 to 1."""
    return [curve(step / steps) for step in range(steps + 1)]


def guilloche(draw: ImageDraw.ImageDraw, *, centre: Point, radius: float, rings: int, petals: int, width: int) -> None:
    """Two families of waving rings that cross each other, as on a banknote."""
    for ring in range(rings):
        for turn in (1, -1):

            def point(t: float, ring: int = ring, turn: int = turn) -> Point:
                r = radius * (0.4 + ring * 0.11) + turn * radius * (0.06 + ring * 0.022) * cos(
                    petals * t * TURN + turn * ring * 0.16
                )
                return centre[0] + r * cos(t * TURN), centre[1] + r * sin(t * TURN)

            draw.line(curve_points(point, 360), fill=max(60, 230 - ring * 12), width=width, joint="curve")
