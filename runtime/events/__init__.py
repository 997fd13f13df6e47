"""A run's event stream: announced in a transaction, carried by Redis."""
