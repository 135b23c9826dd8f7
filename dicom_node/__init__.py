"""DICOM in, DICOM out, and the loop between."""
