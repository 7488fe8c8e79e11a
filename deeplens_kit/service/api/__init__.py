"""The API under `/api/v1`: one module for each resource, and the values that go in and out.

Takes requests of programs, gives JSON; must not compute anything itself: the pipeline does, and long work is a job.
"""
