"""Real storage servers for tests and benchmarks: one module per server, each with `running(folder)`.

A server is found, started on a free port of this machine with credentials of its own, waited for until it does what a
client asks of it, and stopped with every process that it started. What is not installed is skipped with the line that
installs it. Nothing here knows `deeplens_kit`.
"""
