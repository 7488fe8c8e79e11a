"""What goes in and out of the API, as values; one module for each resource."""
