"""How well grades agree with a reference; never loaded by the service."""
