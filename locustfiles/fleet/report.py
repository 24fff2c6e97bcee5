"""What is printed at the end, and whether all of it is well. Runs inside Django."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from django.core.management.base import CommandError

from accountsstore.stack.layout import Stack
from locustfiles.chaos.journal import Journal
from locustfiles.chaos.proof import books, outbox_waiting
from locustfiles.fleet import proof, served
from locustfiles.fleet.people import Member
from locustfiles.fleet.served import Served
from locustfiles.release.tab import Sockets

HOSTS = ("app-1", "app-2")
# What is on its way at the end arrives within.
DRAIN_SECONDS = 60


@dataclass
class Phase:
    """`began` and `ended` by the clock of nginx's log; `fault`, of the monotonic clock, when something was killed."""

    title: str
    began: float
    ended: float = 0.0
    # {group: the hosts by which its people must have been served}
    expected: dict[str, set[str]] = field(default_factory=dict)
    fault: float = 0.0
    notes: list[str] = field(default_factory=list)

    def told(self, journal: Journal, sockets: Sockets) -> None:
        """Note what people noticed of the fault until now."""
        troubles = journal.between(self.fault, time.monotonic())
        last = max((trouble.at for trouble in troubles), default=self.fault) - self.fault
        back = f"{len(sockets.away)} sockets were lost and back within {max(sockets.away, default=0):.1f} s"
        self.notes.append(
            f"{back}; {len(troubles)} errors seen, the last after {last:.1f} s; "
            f"the longest wait for an answer {journal.longest_wait(self.fault):.1f} s"
        )
        kinds = Counter(f"{trouble.deed}: {trouble.what[:80]}" for trouble in troubles)
        self.notes += [f"{times} x {kind}" for kind, times in kinds.most_common()]


def show(
    phases: list[Phase],
    answers: list[Served],
    groups: dict[str, list[Member]],
    journal: Journal,
    stack: Stack,
) -> bool:
    """Print it; whether nothing was lost or doubled, and both hosts took the part that was meant for them."""
    told = journal.read()
    is_well = all([*(_phase(phase, answers, groups, told) for phase in phases)])
    waiting = _drained()
    for finding in proof.compare(told, stack.node("mail").folder):
        lost, doubled = finding.lost, finding.doubled
        print(f"{finding.kind:<10} {finding.told:>5} acknowledged, {len(lost)} lost, {len(doubled)} doubled")
        for what in [*lost[:5], *doubled[:5]]:
            print(f"    {what}")
        is_well &= finding.is_well
    print(f"outbox     {waiting} left unsent")
    try:
        print(books().strip())
    except CommandError as error:
        print(error)
        is_well = False
    print("Nothing was lost or doubled." if is_well and not waiting else "Not good: see above.")
    return is_well and not waiting


def _phase(phase: Phase, answers: list[Served], groups: dict[str, list[Member]], told: list[proof.Row]) -> bool:
    """Print who was served by whom; whether it was as the phase is meant."""
    print(f"{phase.title} ({phase.ended - phase.began:.0f} s)")
    seen: dict[str, set[str]] = {}
    for name, members in groups.items():
        addresses = [member.address for member in members]
        counted = served.requests(answers, addresses, phase.began, phase.ended)
        held = Counter(served.socket_host(answers, address, phase.ended - 2) for address in addresses)
        seen[name] = {host for host in HOSTS if counted[host] or held[host]}
        parts = (f"{host} {counted[host]:>4} requests, {held[host]} sockets" for host in HOSTS)
        print(f"  {name:<9}{'; '.join(parts)}")
    said = [row for row in told if row["deed"] == "say" and phase.began <= row["at"] < phase.ended]
    ways = Counter(_ways(said, told, answers, groups))
    print(
        f"  messages {len(said)}: {ways['across']} from one host to the other, {ways['within']} within one, "
        f"{ways['moving']} while somebody changed hosts"
    )
    for note in phase.notes:
        print(f"  {note}")
    wrong = [name for name, hosts in phase.expected.items() if seen[name] != hosts]
    for name in wrong:
        print(f"  not as meant: {name} were served by {', '.join(sorted(seen[name])) or 'nobody'}")
    return not wrong


def _ways(
    said: list[proof.Row], told: list[proof.Row], answers: list[Served], groups: dict[str, list[Member]]
) -> Iterator[str]:
    """Of each message, whether the sockets of its two people were on two hosts."""
    addresses = {member.username: member.address for members in groups.values() for member in members}
    parties = defaultdict(set)
    for row in told:
        if row["deed"] == "hear":
            parties[row["conversation"]].add(row["user"])
    for row in said:
        hosts = {served.socket_host(answers, addresses[user], row["at"]) for user in parties[row["conversation"]]}
        yield "moving" if "" in hosts else ("across" if len(hosts) == 2 else "within")


def _drained() -> int:
    """Wait until every event and mail has gone out. Returns how many never did."""
    give_up = time.monotonic() + DRAIN_SECONDS
    while (waiting := outbox_waiting()) and time.monotonic() < give_up:
        time.sleep(1)
    return waiting
