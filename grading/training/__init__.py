"""Learning from labelled slices; never loaded by the service."""
