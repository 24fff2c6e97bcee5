"""`make load`: how many people a store carries, and what gives way first.

Locust plays visitors, buyers, sellers, pairs who chat and staff (journeys.py, weights there) against a store behind its own
nginx, step after step with more of them (stages.py). docs/operations/load-test.md says how to read what comes of it and how
the large shapes are split over hosts.
"""
