"""What the drawing of an anatomy raises when it must start again."""


class MisfitError(Exception):
    """The parts drawn so far do not go together; draw again.

    Never leaves `grading.phantom.section.draw`.
    """
