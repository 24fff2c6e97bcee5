"""`make chaos`: what people lose when a machine dies.

A store on the production stack, people who sign in, buy, pay in and write to each other, and five servers killed in
turn. Every answer that a person took for a success is kept in a file; afterwards the database, the mail server and
`verify_ledger` say whether each of them is true, once.
"""
