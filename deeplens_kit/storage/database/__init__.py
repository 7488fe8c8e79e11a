"""Files that lie in a table of a database, as the objects of a location.

Takes a URL of a database with the names of a table and its columns; must not write, and asks in SQL only here.
"""

__all__: list[str] = []
