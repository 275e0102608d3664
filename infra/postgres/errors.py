"""The one error of the embedded database: its text says what is wrong and what helps."""


class PostgresError(RuntimeError):
    """The embedded database cannot be found, set up, started or reached."""
