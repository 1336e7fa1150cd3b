"""What a user can get wrong: one line of text, exit code 2 on the command line."""


class UserError(Exception):
    """A request that cannot be carried out; the message is one line, fit for a user."""


class StoreError(UserError):
    """A results folder that cannot be used."""
