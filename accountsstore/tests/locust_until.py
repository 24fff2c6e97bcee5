"""Locust's file beside the journeys: the run ends when each step named in UNTIL, a JSON list, was done once."""

import json
import os
from typing import Any

from locust import events
from locust.env import Environment

missing = set(json.loads(os.environ["UNTIL"]))


@events.init.add_listener
def _watch(environment: Environment, **more: Any) -> None:
    def done(name: str, exception: object = None, **more: Any) -> None:
        if exception is None and name in missing:
            missing.discard(name)
            if not missing and environment.runner:
                environment.runner.greenlet.spawn(environment.runner.quit)

    environment.events.request.add_listener(done)
