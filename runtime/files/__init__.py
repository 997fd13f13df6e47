"""Files: rows here, bytes in storage."""
