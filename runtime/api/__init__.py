"""HTTP's room."""
