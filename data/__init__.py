"""The sample library: pictures with known copies, made from openly licensed photographs, and their ground truth."""

__all__: list[str] = []
