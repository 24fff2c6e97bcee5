"""The servers of a production store on one machine, without root: `manage.py stack`.

`layout` says which servers there are and where, `configuration` renders the files of deploy/ for them, `programs` starts
and ends processes. `mongo`, `cluster`, `jobs`, `s3` and `mail` each know one part: how its servers become a whole and
how to ask whether they are well. `lifecycle` puts them together.
"""
