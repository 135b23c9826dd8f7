"""An evaluation as pages and tables that a clinician reads."""
