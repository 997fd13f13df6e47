"""What runs inside the container. Imports nothing of ours but `sandbox.protocol`."""
