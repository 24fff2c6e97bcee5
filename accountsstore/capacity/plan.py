"""From what people do, what that costs and what machines cost: how many machines, what gives way first, what it costs.

Linear by intent: twice the people need twice the cores. What is not linear (queues, storms, the loss of a host) is what
`simulate` plays through with the machines planned here.
"""

import math
from dataclasses import dataclass

from accountsstore.capacity.measurement import Measurement
from accountsstore.capacity.prices import Machine, Prices
from accountsstore.capacity.workload import Workload

# Which server's CPU each machine gives, in the words of Measurement.
SERVERS = {
    "edge": ("nginx",),
    "app": ("pages", "sockets"),
    "redis": ("redis",),
    "worker": ("worker",),
    "mongo": ("mongo",),
}
# One dies, and the store goes on.
FEWEST = {"edge": 2, "app": 2, "worker": 2, "redis": 3, "mongo": 1}
# Machines for each that carries load: a replica beside each master, two secondaries beside each primary.
COPIES = {"redis": 2, "mongo": 3}
JOBS_MACHINES = 3
# LimitNOFILE of deploy/systemd/daphne@.service; worker_connections of deploy/nginx/nginx.conf, of which a proxied socket
# takes two, as it does of worker_rlimit_nofile.
FILES_PER_SOCKET_PROCESS = 50_000
CONNECTIONS_PER_NGINX_WORKER, RLIMIT_PER_NGINX_WORKER = 48_000, 100_000
MEMORY_SHARE, NIC_SHARE = 0.8, 0.6
# Before anything of the store runs: kernel, agents, page cache; and the cache that MongoDB and Redis need is not counted.
SYSTEM_GB = 1.0
MONTH_SECONDS = 730 * 3600
ASSUMED = {
    "survival": "two of each of edge, app and worker, three masters of Redis, one MongoDB set: the loss of one is survived",
    "copies": "a replica for each master of Redis and two secondaries for each primary; reads go to the primary",
    "memory": f"{MEMORY_SHARE:.0%} of a machine's memory is used, {SYSTEM_GB:g} GB of it by the system; what MongoDB's cache "
    "needs depends on the data, which nobody knows here",
    "network": f"{NIC_SHARE:.0%} of the network card that the price file names is used",
    "same cores": "a core of the machines in the price file does what a core of the measured host does",
    "queue": "the queue's Redis and its Sentinels take three small machines at any size",
}


@dataclass(frozen=True)
class Limit:
    """One way to run out: `need` of `role` in all, `each` of it from one machine at the target."""

    name: str
    need: float
    each: float

    @property
    def machines(self) -> float:
        return self.need / self.each if self.each else math.inf


@dataclass(frozen=True)
class RolePlan:
    role: str
    machine: Machine
    # That carry load, and all that are paid.
    carrying: int
    machines: int
    cores_needed: float
    # Share of the CPU that is used at the peak; of one core for Redis.
    utilisation: float
    limits: tuple[Limit, ...]

    @property
    def binding(self) -> Limit:
        """What would give way first."""
        return max(self.limits, key=lambda limit: limit.machines)

    @property
    def vcpus(self) -> int:
        return self.machines * self.machine.vcpus

    @property
    def month(self) -> float:
        return self.machines * self.machine.month


@dataclass(frozen=True)
class Plan:
    workload: Workload
    target: float
    roles: dict[str, RolePlan]
    # Gigabits in a second to customers at the peak, terabytes in a month.
    gbit_out: float
    tb_month: float
    bill: dict[str, float]
    messages_stored: float
    redis_commands: float
    # Processes for pages and for sockets on each app server, one core each.
    page_processes: int
    socket_processes: int

    @property
    def month(self) -> float:
        return sum(self.bill.values())

    @property
    def first_limit(self) -> tuple[str, Limit]:
        """(role, limit) nearest to its end on the machines planned: met first when more people come."""
        return max(
            ((role, limit) for role, one in self.roles.items() for limit in one.limits),
            key=lambda pair: pair[1].machines / self.roles[pair[0]].carrying,
        )

    @property
    def more_people(self) -> int:
        """How many people these machines carry before the first limit is met."""
        role, limit = self.first_limit
        return int(self.workload.users * self.roles[role].carrying / limit.machines) if limit.machines else 0


def plan(workload: Workload, measured: Measurement, prices: Prices, target: float) -> Plan:
    """`target` is the share of the CPU that may be used at the peak, above 0 and at most 1."""
    rates = dict(workload.per_second())
    bytes_out = sum(rate * measured.bytes_out.get(operation, 0) for operation, rate in rates.items())
    cores = {role: sum(measured.cores_of(server, rates) for server in servers) for role, servers in SERVERS.items()}
    sockets_share = _share(measured.cores_of("sockets", rates), cores["app"])
    roles, processes = {}, (1, 1)
    for role, machine in ((role, prices.machines[role]) for role in SERVERS):
        limits = [_cpu(role, cores[role], machine, target), Limit("NIC", _through(role, bytes_out), _nic(machine))]
        if role == "edge":
            each = min(CONNECTIONS_PER_NGINX_WORKER, RLIMIT_PER_NGINX_WORKER) / 2
            limits.append(Limit("connections of nginx", workload.users, machine.vcpus * each))
        if role == "app":
            processes = _processes(machine.vcpus, sockets_share)
            limits += _of_app(workload, measured, machine, *processes)
        if role == "redis":
            published = sum(
                rates[operation] * measured.bytes_out.get(operation, 0) for operation in ("message", "event")
            )
            limits[1] = Limit("pub/sub bandwidth", published, _nic(machine))
        if role == "mongo":
            limits[0] = Limit("MongoDB writes and reads", limits[0].need, limits[0].each)
        carrying = max(FEWEST[role], math.ceil(max(limit.machines for limit in limits) - 1e-9))
        usable = 1 if role == "redis" else machine.vcpus
        roles[role] = RolePlan(
            role=role,
            machine=machine,
            carrying=carrying,
            machines=carrying * COPIES.get(role, 1),
            cores_needed=cores[role],
            utilisation=cores[role] / (carrying * usable),
            limits=tuple(limits),
        )
    tb_month = bytes_out * prices.average_of_peak * MONTH_SECONDS / 1e12
    jobs = prices.machines["jobs"]
    bill = {f"{one.machines} × {role}, {one.machine.name}": one.month for role, one in roles.items()}
    bill[f"{JOBS_MACHINES} × jobs, {jobs.name}"] = JOBS_MACHINES * jobs.month
    bill |= prices.fixed
    bill[f"Traffic out, {tb_month:.1f} TB"] = tb_month * prices.per_tb_out
    return Plan(
        workload=workload,
        target=target,
        roles=roles,
        gbit_out=bytes_out * 8 / 1e9,
        tb_month=tb_month,
        bill=bill,
        messages_stored=rates["message"],
        redis_commands=sum(rate * measured.redis_commands.get(operation, 0) for operation, rate in rates.items()),
        page_processes=processes[0],
        socket_processes=processes[1],
    )


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.5


def _cpu(role: str, cores: float, machine: Machine, target: float) -> Limit:
    # A master's commands run on one core, however many it has.
    return Limit("CPU", cores, (1 if role == "redis" else machine.vcpus) * target)


def _through(role: str, bytes_out: float) -> float:
    """Bytes in a second through the cards of a role, at most: what goes to customers passes both."""
    return bytes_out if role in ("edge", "app") else 0.0


def _nic(machine: Machine) -> float:
    return machine.nic_gbit * 1e9 / 8 * NIC_SHARE


def _processes(vcpus: int, sockets_share: float) -> tuple[int, int]:
    """(for pages, for sockets) on one app server: as many together as cores, at least one of each."""
    sockets = min(max(1, vcpus - 1), max(1, round(vcpus * sockets_share)))
    return max(1, vcpus - sockets), sockets


def _of_app(workload: Workload, measured: Measurement, machine: Machine, pages: int, sockets: int) -> list[Limit]:
    base_mb = pages * measured.process_mb.get("pages", 0) + sockets * measured.process_mb.get("sockets", 0)
    free_kb = machine.memory_gb * 1e6 * MEMORY_SHARE - SYSTEM_GB * 1e6 - base_mb * 1e3
    return [
        Limit("memory", workload.users * measured.socket_kb, max(free_kb, 1.0)),
        Limit("file handles of a socket process", workload.users, sockets * FILES_PER_SOCKET_PROCESS),
    ]
