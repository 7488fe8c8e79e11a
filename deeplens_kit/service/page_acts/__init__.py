"""What the pages do: an act is a method that asks, each time, whether whoever is there may.

Takes the session of a page and the workspace, gives objects that viewers call;
viewers know nothing else of the service.
"""
