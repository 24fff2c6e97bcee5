"""The plan for a person to read, and for a program."""

from collections.abc import Iterator
from typing import Any

from accountsstore.capacity.measurement import OPERATIONS, ROLES, Measurement
from accountsstore.capacity.plan import ASSUMED, Plan
from accountsstore.capacity.prices import Prices
from accountsstore.capacity.workload import SOURCES

TITLES = {
    "edge": "nginx",
    "app": "app (pages, sockets)",
    "redis": "Redis Cluster",
    "worker": "workers",
    "mongo": "MongoDB",
}


def lines(plan: Plan, measured: Measurement, prices: Prices, given: set[str]) -> Iterator[str]:
    """`given` names the rates that the caller chose; the others are named as assumptions."""
    yield from _measured(measured)
    yield from _planned(plan)
    yield from _cost(plan, prices)
    yield ""
    yield "Assumed"
    for name, source in assumptions(measured, given).items():
        yield f"  {name}: {source}"


def assumptions(measured: Measurement, given: set[str]) -> dict[str, str]:
    rates = {name: source for name, source in SOURCES.items() if name not in given}
    return measured.assumed | rates | ASSUMED


def _measured(measured: Measurement) -> Iterator[str]:
    yield f"Measured by {measured.by} on {measured.host}, {measured.taken_at}"
    if measured.database == "sqlite":
        yield "  The database's figures are SQLite's: MongoDB costs otherwise. Measure on MongoDB before you buy."
    yield f"  {'µs CPU of one':<14}" + "".join(f"{role:>10}" for role in ROLES) + f"{'Redis commands':>17}"
    for operation in OPERATIONS:
        row = "".join(f"{measured.cost_us(operation, role):>10,.0f}" for role in ROLES)
        yield f"  {operation:<14}{row}{measured.redis_commands.get(operation, 0):>17.1f}"
    memory = ", ".join(f"a process for {name} {mb:.0f} MB" for name, mb in measured.process_mb.items())
    yield f"  Memory: a socket {measured.socket_kb:.1f} kB, {memory}"
    if measured.redis_commands_per_cpu_second:
        yield f"  Redis: {measured.redis_commands_per_cpu_second:,.0f} commands in a second of its CPU"
    if measured.routes_ms:
        yield "  Pages, ms CPU: " + ", ".join(f"{route} {ms:.1f}" for route, ms in measured.routes_ms.items())


def _planned(plan: Plan) -> Iterator[str]:
    users = plan.workload.users
    yield ""
    yield f"Machines for {users:,} users at {plan.target:.0%} CPU"
    yield f"  {'':<22}{'machines':>9}{'vCPU':>6}{'cores busy':>12}{'CPU used':>10}{'month':>9}   what gives way first"
    for role, one in plan.roles.items():
        yield (
            f"  {TITLES[role]:<22}{one.machines:>9}{one.vcpus:>6}{one.cores_needed:>12.2f}{one.utilisation:>10.0%}"
            f"{one.month:>9,.0f}   {one.binding.name}"
        )
    yield f"  Each app server: {plan.page_processes} processes for pages, {plan.socket_processes} for sockets."
    yield (
        f"  At the peak: {plan.messages_stored:,.0f} messages/s stored, {plan.redis_commands:,.0f} Redis commands/s, "
        f"{plan.gbit_out:.2f} Gbit/s to customers."
    )
    role, limit = plan.first_limit
    yield f"  First limit met: {limit.name} of {TITLES[role]}, at {plan.more_people:,} users on these machines."


def _cost(plan: Plan, prices: Prices) -> Iterator[str]:
    yield ""
    yield f"A month, {prices.currency} (prices of {prices.date}: {prices.note})"
    for name, month in plan.bill.items():
        yield f"  {name:<40}{month:>10,.0f}"
    yield f"  {'Total':<40}{plan.month:>10,.0f}"
    beside = prices.beside
    yield (
        f"  The source design: {beside['app_vcpus']:.0f} vCPU of app servers and {beside['month']:,.0f} for 200,000 users; "
        f"here {plan.roles['app'].vcpus} vCPU and {plan.month:,.0f} for {plan.workload.users:,}."
    )


def as_data(plan: Plan, measured: Measurement, prices: Prices, given: set[str]) -> dict[str, Any]:
    """What --json prints."""
    role, limit = plan.first_limit
    return {
        "users": plan.workload.users,
        "per_second": dict(plan.workload.per_second()),
        "target": plan.target,
        "database": measured.database,
        "roles": {
            name: {
                "machines": one.machines,
                "machine": one.machine.name,
                "vcpus": one.vcpus,
                "cores_busy": one.cores_needed,
                "utilisation": one.utilisation,
                "month": one.month,
                "limits": {each.name: each.machines for each in one.limits},
                "gives_way_first": one.binding.name,
            }
            for name, one in plan.roles.items()
        },
        "first_limit": {"role": role, "limit": limit.name, "users": plan.more_people},
        "month": {"currency": prices.currency, "total": plan.month, "items": plan.bill, "prices_of": prices.date},
        "source_design": prices.beside,
        "assumed": assumptions(measured, given),
    }
