"""How many machines a store needs: measured here (`measure`), multiplied (`plan`), and played through (`simulate`).

`workload` says what people do, `measurement` what that costs, `prices` what machines cost. All but `measure` and `probes`
are pure: the same input gives the same answer, on any machine. `manage.py capacity` puts them together.
"""
