"""Makes one file searchable: parse, chunk, embed, store."""
