"""What the people of the stories do, through the services, named by username and by key of `goods`.

Each deed looks first whether it was done, so that a load that was interrupted goes on where it stopped.
"""
