"""Vector stores: what is searchable, and the search."""
