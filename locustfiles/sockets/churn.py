"""Whether a process of sockets keeps anything of those who have left.

    make bench-sockets PROFILE=churn
    .venv/bin/python -m locustfiles.sockets.churn [--people 5000] [--rounds 20]

In each round everybody connects, hears a few messages and leaves. Printed is the memory of the server. It grows in the
first rounds, to what the most people at once and the garbage of a few rounds need, and then no more.
"""

import argparse
import asyncio
import resource

import uvloop

from locustfiles.sockets.__main__ import commands, valkey
from locustfiles.sockets.server_process import Server, free_port

TALK_SECONDS, REST_SECONDS = 2, 3


async def main(people: int, rounds: int) -> None:
    port = free_port()
    with valkey() as url:
        command, env, crowd = commands(port, url)["ours"]
        # As in production: with DEBUG, Django keeps more.
        env |= {"DEBUG": "false", "HTTPS": "false", "ALLOWED_HOSTS": "localhost,127.0.0.1"}
        async with Server(command, port, env) as server:
            print(f"{'connects':>10}{'MB':>8}{'CPU s':>8}")
            for number in range(rounds + 1):
                cpu = server.cpu_seconds()
                if number:
                    visit = crowd(port, people)
                    await visit.arrive()
                    await visit.talk(people, TALK_SECONDS)
                    await visit.leave()
                    await asyncio.sleep(REST_SECONDS)
                megabytes = server.kilobytes() / 1024
                print(f"{number * people:>10,}{megabytes:>8.0f}{server.cpu_seconds() - cpu:>8.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    uvloop.run(main(options.people, options.rounds))
