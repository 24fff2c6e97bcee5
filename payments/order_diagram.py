"""The order table as a picture: where each state stands, and an arrow for every transition of `payments.states`."""

import dataclasses

from django.utils.translation import gettext_lazy as _

from payments.states import FINAL, TRANSITIONS, OrderState

S = OrderState
# What a box has room for.
NAMES = {
    S.WITHDRAWN: _("withdrawn"),
    S.EXPIRED: _("expired"),
    S.DISPUTED: _("disputed"),
    S.SPLIT: _("split"),
    S.REQUESTED: _("requested"),
    S.FUNDED: _("funded"),
    S.DELIVERED: _("delivered"),
    S.ACCEPTED: _("accepted"),
    S.RELEASED: _("released"),
    S.DECLINED: _("declined"),
    S.CANCELLED: _("cancelled"),
    S.REFUNDED: _("refunded"),
}
# Column and row of each state: the usual way runs along row 1.
PLACES = {
    S.WITHDRAWN: (0, 0),
    S.EXPIRED: (1, 0),
    S.DISPUTED: (2, 0),
    S.SPLIT: (4, 0),
    S.REQUESTED: (0, 1),
    S.FUNDED: (1, 1),
    S.DELIVERED: (2, 1),
    S.ACCEPTED: (3, 1),
    S.RELEASED: (4, 1),
    S.DECLINED: (0, 2),
    S.CANCELLED: (1, 2),
    S.REFUNDED: (3, 2),
}
BOX_WIDTH, BOX_HEIGHT = 132, 38
COLUMN, ROW = 186, 92
MARGIN = 12
WIDTH, HEIGHT = 4 * COLUMN + BOX_WIDTH + 2 * MARGIN, 2 * ROW + BOX_HEIGHT + 2 * MARGIN


@dataclasses.dataclass(frozen=True)
class Box:
    state: str
    label: str
    x: int
    y: int
    mark: str  # "now", "past" or ""
    is_final: bool


@dataclasses.dataclass(frozen=True)
class Arrow:
    x1: float
    y1: float
    x2: float
    y2: float
    label: str
    was_taken: bool


def diagram(now: str = "", path: list[tuple[str, str]] | None = None) -> tuple[list[Box], list[Arrow]]:
    """Boxes and arrows in pixels. `now` is an order's state, `path` the (from, to) steps it has taken."""
    taken = set(path or [])
    seen = {state for step in taken for state in step}
    boxes = [
        Box(
            state=state.value,
            label=str(NAMES[state]),
            x=MARGIN + column * COLUMN,
            y=MARGIN + row * ROW,
            mark="now" if state == now else "past" if state in seen else "",
            is_final=state in FINAL,
        )
        for state, (column, row) in PLACES.items()
    ]
    by_state = {box.state: box for box in boxes}
    arrows = [
        _arrow(by_state[source], by_state[step.target], str(step.label), (source.value, step.target.value) in taken)
        for step in TRANSITIONS.values()
        for source in sorted(step.sources)
    ]
    return boxes, arrows


def _arrow(source: Box, target: Box, label: str, was_taken: bool) -> Arrow:
    """From edge to edge along the line between the two middles."""
    x1, y1 = _edge(source, target)
    x2, y2 = _edge(target, source)
    return Arrow(x1, y1, x2, y2, label, was_taken)


def _edge(box: Box, other: Box) -> tuple[float, float]:
    middle_x, middle_y = box.x + BOX_WIDTH / 2, box.y + BOX_HEIGHT / 2
    dx, dy = other.x - box.x, other.y - box.y
    # The side the line leaves through is the one it meets first.
    steps = [limit / abs(d) for limit, d in ((BOX_WIDTH / 2, dx), (BOX_HEIGHT / 2, dy)) if d]
    share = min(steps)
    return round(middle_x + dx * share, 1), round(middle_y + dy * share, 1)
