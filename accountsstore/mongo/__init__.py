"""The store on MongoDB: a database engine on top of django-mongodb-backend, and what the apps that are not ours need there.

`settings.py` chooses it when DATABASE_URL begins with mongodb://. Nothing of this is imported on SQLite.

base        transactions that are real, retried when MongoDB asks for it
compiler    match, sort and limit before the joins, so that lists read an index
schema      unique indexes that serve reads too
apps        contrib apps with ObjectId keys; `migrations` holds theirs
"""
