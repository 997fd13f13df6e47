"""The tools the runtime itself answers. The caller's functions are not among them."""
