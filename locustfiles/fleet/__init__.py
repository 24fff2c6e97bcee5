"""`make rehearse-fleet`: two hosts are one store, and what people lose when one of them dies: nothing.

Buyers are served by one app host and sellers by the other, each through an nginx of production. They pay in, buy, deliver,
reveal, accept, are paid, dispute and write to each other. One host is killed, everybody goes on at the other; it is started
again, and people are spread again. Every answer that somebody took for a success is compared with the database.
"""
