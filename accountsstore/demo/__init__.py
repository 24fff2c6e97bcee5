"""The demo store: invented people, goods and a past of ten weeks, made by `manage.py seed_demo`.

`people` and `goods` say who and what, `stories` what happened; `load` puts it into the database through the services.
"""

from accountsstore.demo.people import BUYERS, OWNER, PASSWORD, SELLERS, STAFF

# What `make run` prints: (role, email, password).
SIGN_INS = [
    ("buyer", BUYERS[0].email, PASSWORD),
    ("seller", SELLERS[0].email, PASSWORD),
    *(("staff", person.email, PASSWORD) for person in STAFF),
    ("admin", OWNER.email, PASSWORD),
]
