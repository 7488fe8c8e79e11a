"""The files in an archive, as the objects of a location that can only be read.

Takes the path of an archive; must not write it, and never writes a member to a disk.
"""

__all__: list[str] = []
