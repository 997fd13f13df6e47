"""Idempotency keys: a request that is sent again gets the answer it was given."""
