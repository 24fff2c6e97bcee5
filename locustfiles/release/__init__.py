"""`make rehearse-release`: what people notice while a new version goes live.

Two app hosts (addresses of this machine) behind the real nginx, people who load pages, send forms and hold sockets. One
host after the other is drained, stopped, started anew and taken back; every answer and every socket is counted.
"""
