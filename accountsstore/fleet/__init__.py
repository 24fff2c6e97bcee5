"""The hosts of a store in production, and the configuration that each of them needs."""
