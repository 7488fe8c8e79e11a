"""What a step is made of: one act on a storage each, that can be done, looked for after a crash, and taken back.

Takes an act with its facts, gives how it ended; writes no line of the journal.
"""
