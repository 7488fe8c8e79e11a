"""Who may do what over HTTP: sign-in, sessions, keys, tokens.

Takes requests, gives whoever asks; must not decide what a route does.
"""
