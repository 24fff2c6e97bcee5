"""`manage.py doctor`: is a live installation as it should be? One function looks at each point."""

from accountsstore.doctor import data, files, host, mongo, redis, web  # noqa: F401  (each registers its points)
from accountsstore.doctor.points import Finding, examine

__all__ = ["Finding", "examine"]
