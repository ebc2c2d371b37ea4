"""
What every importer refuses in the same way: a source that cannot be imported at all.
"""


class UnusableSourceError(Exception):
    """The source is not what it should be; the message is one sentence for the operator."""
