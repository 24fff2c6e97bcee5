"""What the store tells Prometheus of itself, under `/metrics`; docs/operations/metrics.md lists all of it.

`values` keeps what is counted, and adds it up over the processes of a host. `catalogue` declares what is counted and says
what to do about it. `http`, `sockets`, `jobs` and `accountsstore.mongo.listeners` count. `scrape` reads what is true at
the moment of the question, and `page` is the answer.

Of django-prometheus one thing is used, its look at the migrations. Its two middlewares write some twenty metrics for each
request and add the hop between threads that a sync hook costs under ASGI, its engine for SQLite makes a class for each
cursor, there is none for MongoDB, and its models do not see the UPDATEs that the services are made of.

This file is imported with the package itself, before anything can have made a metric.
"""

import prometheus_client.values

from accountsstore.metrics.values import SharedValue, share

# The library asks this for the value behind each metric.
prometheus_client.values.ValueClass = SharedValue

__all__ = ["share"]
