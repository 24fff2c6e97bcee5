"""Pictures for demo listings: fine line work as on security paper, one drawing per seed, nobody's property.

Five families of curves, one for each kind of category, in the inks of the store's theme. The same family and seed
give the same pixels.
"""

import io
import random
from collections.abc import Callable, Iterator
from math import cos, pi, sin

from PIL import Image, ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]
Stroke = tuple[list[Point], int]

SIZE = (1600, 1000)
# Drawn twice as large and reduced: Pillow's lines have hard edges.
SCALE = 2
TURN = 2 * pi
NIGHT, LIGHT = (8, 20, 26), (255, 255, 255)

# family → (paper, ink, second ink)
INKS: dict[str, tuple[Colour, Colour, Colour]] = {
    "games": ((234, 243, 247), (21, 96, 125), (92, 84, 156)),
    "software": ((234, 244, 239), (31, 105, 72), (22, 96, 110)),
    "subs": ((242, 239, 249), (104, 77, 156), (156, 72, 120)),
    "gift": ((249, 241, 231), (143, 92, 33), (150, 66, 52)),
    "learn": ((251, 239, 238), (155, 66, 66), (128, 80, 40)),
}


def demo_picture(family: str, seed: int) -> bytes:
    """A JPEG of 1600 × 1000 pixels, about 400 kB. `family` is a category's art: games, software, subs, gift, learn."""
    chance = random.Random(f"{family} {seed}")  # noqa: S311  (a drawing, not a secret)
    paper, ink, second = INKS[family]
    if chance.random() < 0.35:
        # The same drawing as a negative: light lines on deep ink.
        paper, ink, second = _mixed(ink, NIGHT, 0.6), _mixed(ink, LIGHT, 0.6), _mixed(second, LIGHT, 0.45)
    picture = Image.new("RGB", SIZE, paper)
    layers = _FAMILIES[family](chance)
    for colour, strokes in zip((second, ink), layers, strict=True):
        picture.paste(colour, mask=_drawn(strokes))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


def _mixed(one: Colour, other: Colour, part: float) -> Colour:
    return tuple(round(a + (b - a) * part) for a, b in zip(one, other, strict=True))  # type: ignore[return-value]


def _drawn(strokes: Iterator[Stroke]) -> Image.Image:
    """Strokes as a mask; each carries its strength, 0 to 255."""
    mask = Image.new("L", (SIZE[0] * SCALE, SIZE[1] * SCALE))
    draw = ImageDraw.Draw(mask)
    for points, strength in strokes:
        draw.line([(x * SCALE, y * SCALE) for x, y in points], fill=strength, width=SCALE * 2 + 1, joint="curve")
    return mask.reduce(SCALE)


def curve_points(curve: Callable[[float], Point], steps: int) -> list[Point]:
    """`curve(t)` for t from 0 to 1."""
    return [curve(step / steps) for step in range(steps + 1)]


def _fading(k: int, count: int, low: int = 70) -> int:
    return round(255 - (255 - low) * k / count)


def _games(chance: random.Random) -> tuple[Iterator[Stroke], Iterator[Stroke]]:
    """Polygons that turn as they grow."""

    def polygons(sides: int, centre: Point, step: float, twist: float, count: int, low: int) -> Iterator[Stroke]:
        for k in range(count):
            radius, turn = 10 + k * step, k * twist
            corners = [
                (centre[0] + radius * cos(turn + i * TURN / sides), centre[1] + radius * sin(turn + i * TURN / sides))
                for i in range(sides + 1)
            ]
            yield corners, _fading(k, count, low)

    sides = chance.choice([3, 4, 5, 6, 6, 7, 8])
    centre = (chance.uniform(300, 1300), chance.uniform(250, 750))
    step, twist = chance.uniform(30, 42), chance.choice([1, -1]) * chance.uniform(0.035, 0.09)
    far = (centre[0] + chance.uniform(-1, 1) * 500, 1000 - centre[1])
    return (
        polygons(sides, far, step * 2, -twist, 24, 10),
        polygons(sides, centre, step, twist, 46, 100),
    )


def _software(chance: random.Random) -> tuple[Iterator[Stroke], Iterator[Stroke]]:
    """Rosettes, as on a certificate."""

    def rosette(centre: Point, radius: float, petals: int, rings: int, turn: int, low: int) -> Iterator[Stroke]:
        for k in range(rings):
            base, wave, phase = radius * (0.3 + k * 0.09), radius * (0.05 + k * 0.034), turn * k * 0.15

            def point(t: float, base: float = base, wave: float = wave, phase: float = phase) -> Point:
                r = base + turn * wave * cos(petals * t * TURN + phase)
                return centre[0] + r * cos(t * TURN), centre[1] + r * sin(t * TURN)

            yield curve_points(point, 420), _fading(k, rings, low)

    centre = (chance.uniform(300, 1300), chance.uniform(300, 700))
    radius, petals = chance.uniform(260, 520), chance.choice([3, 4, 5, 6, 7, 8, 9, 11, 12, 16])
    rings = chance.randint(13, 18)
    return rosette(centre, radius, petals, rings, -1, 40), rosette(centre, radius, petals, rings, 1, 90)


def _subs(chance: random.Random) -> tuple[Iterator[Stroke], Iterator[Stroke]]:
    """Waves that come again, a little later each."""

    def waves(
        count: int, height: float, period: float, lag: float, start: float, swell: float, gap: float, low: int
    ) -> Iterator[Stroke]:
        for k in range(count):

            def point(t: float, k: int = k) -> Point:
                envelope = sin(t * pi * 0.9 + k * swell + 0.2)
                return 1600 * t, start + k * gap + height * sin(t * TURN * period + k * lag) * envelope

            strength = low + (255 - low) * sin(pi * (k + 1) / (count + 1))
            yield curve_points(point, 220), round(strength)

    height, period = chance.uniform(110, 260), chance.uniform(0.8, 2.2)
    lag, swell = chance.choice([1, -1]) * chance.uniform(0.09, 0.22), chance.uniform(0.02, 0.06)
    start = chance.uniform(-40, 180)
    return (
        waves(18, height * 0.7, period * 1.5, -lag, start + 200, swell, 30, 10),
        waves(36, height, period, lag, start, swell, 25, 90),
    )


def _gift(chance: random.Random) -> tuple[Iterator[Stroke], Iterator[Stroke]]:
    """A ribbon woven of one curve, again and again."""

    zoom = chance.uniform(0.9, 1.5)
    centre = (800 + (zoom - 0.9) * chance.uniform(-400, 400), 500 + (zoom - 0.9) * chance.uniform(-250, 250))

    def ribbon(a: int, b: int, phase: float, lag: float, count: int, low: int) -> Iterator[Stroke]:
        for k in range(count):
            size = zoom * (1 - k * 0.034)

            def point(t: float, size: float = size, k: int = k) -> Point:
                return (
                    centre[0] + 740 * size * sin(a * t * TURN + k * lag),
                    centre[1] + 430 * size * sin(b * t * TURN + phase),
                )

            yield curve_points(point, 700), _fading(k, count, low)

    a, b = chance.choice([(3, 2), (5, 3), (4, 3), (2, 3), (5, 4), (3, 4), (5, 2)])
    phase, lag = chance.uniform(0.2, 1.2), chance.uniform(0.03, 0.07)
    return ribbon(a, b, phase + 0.5, -lag, 5, 40), ribbon(a, b, phase, lag, 13, 90)


def _learn(chance: random.Random) -> tuple[Iterator[Stroke], Iterator[Stroke]]:
    """Contours of a hill that nobody has climbed."""
    lobes, other = chance.choice([2, 3, 3, 4, 5]), chance.choice([1, 2, 3])
    depth, tilt = chance.uniform(0.16, 0.34), chance.uniform(0, TURN)
    near = (chance.uniform(300, 800), chance.uniform(250, 750))
    far = (chance.uniform(800, 1300), chance.uniform(250, 750))

    def rings(count: int, step: float, first: int, low: int) -> Iterator[Stroke]:
        for k in range(first, count):
            part = k / count

            def point(t: float, k: int = k, part: float = part) -> Point:
                angle = t * TURN
                wave = 1 + depth * sin(lobes * angle + tilt + k * 0.04) + depth * 0.6 * cos(other * angle - k * 0.045)
                radius = k * step * wave
                return (
                    near[0] + (far[0] - near[0]) * part + radius * cos(angle),
                    near[1] + (far[1] - near[1]) * part + radius * 0.72 * sin(angle),
                )

            yield curve_points(point, 240), _fading(k, count, low)

    step = chance.uniform(30, 40)
    # Every fifth line in the second ink, as on a map.
    lines = list(rings(44, step, 1, 90))
    return iter(lines[4::5]), iter([line for k, line in enumerate(lines) if k % 5 != 4])


_FAMILIES: dict[str, Callable[[random.Random], tuple[Iterator[Stroke], Iterator[Stroke]]]] = {
    "games": _games,
    "software": _software,
    "subs": _subs,
    "gift": _gift,
    "learn": _learn,
}


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
