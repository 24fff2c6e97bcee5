"""What a backup or a restore may refuse."""


class BackupError(Exception):
    """One sentence for the operator. Nothing was changed that counts."""
