"""What uploads may refuse."""

from django.utils.translation import gettext_lazy as _

from accountsstore.errors import Conflict, StoreError


class BadFile(StoreError):
    """The file is too large, empty, damaged, or not of a kind that is accepted here."""

    code = "bad_file"
    message = _("This file cannot be used. Choose another one.")


class TooManyFiles(BadFile):
    """One person has sent more than anybody needs within an hour."""

    code = "too_many_files"
    http_status = 429
    message = _("You have sent many files in the last hour. Try again in an hour.")


class FileTaken(Conflict):
    """The file is somebody else's, used already, or deleted."""

    code = "file_taken"
    message = _("This file is in use already or is no longer there. Choose it again.")
