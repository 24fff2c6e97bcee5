"""`manage.py backup` and `restore`: everything that is true and cannot be computed again.

| where | what is kept |
|---|---|
| SQLite | the database, by its online backup |
| MongoDB | each collection and its indexes, and the operations since (`oplog.py`) |
| files | each file once, by its key |
| Redis | nothing: cache, presence and limits are computed again, and jobs come back from the outbox in the database |

A backup is pieces in a folder or a bucket (`vault.py`), each encrypted and authenticated (`sealed_stream.py`). Its manifest
is written last: without one it does not count.
"""
