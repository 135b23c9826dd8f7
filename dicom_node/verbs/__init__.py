"""What each verb of the command line builds and runs.

The composition root, with `dicom_node.__main__`. Everything heavy is imported by the
verb that needs it, so that the receiver never loads torch and ``--help`` is quick.
"""
