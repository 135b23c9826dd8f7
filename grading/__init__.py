"""Datasets in, grades out; shared by the service and by training."""
