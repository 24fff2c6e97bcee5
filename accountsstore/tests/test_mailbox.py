import mailbox
from pathlib import Path

import pytest
from django.core.mail import EmailMultiAlternatives, get_connection
from django.test import Client
from django.urls import reverse

from accountsstore.mailbox import mail_find, mails_newest

FILE = "django.core.mail.backends.filebased.EmailBackend"


@pytest.fixture
def folder(tmp_path: Path, settings: object) -> Path:
    settings.EMAIL_BACKEND = FILE  # type: ignore[attr-defined]
    settings.EMAIL_FILE_PATH = settings.DEV_MAILBOX = tmp_path  # type: ignore[attr-defined]
    return tmp_path


def send(*subjects: str, to: str = "amal@example.com", body: str = "Hello.\n\n407915\n\nمرحبا") -> None:
    """Send through one connection of the file backend: one file."""
    with get_connection(FILE) as connection:
        for subject in subjects:
            message = EmailMultiAlternatives(subject, body, "store@example.com", [to], connection=connection)
            message.attach_alternative("<p>Hello.</p>", "text/html")
            message.send()


def test_mails_come_newest_first_with_their_code(folder: Path) -> None:
    send("First", "Second")
    mails = mails_newest(folder)
    assert [mail.subject for mail in mails] == ["Second", "First"]
    assert (mails[0].to, mails[0].code) == ("amal@example.com", "407915")
    assert "مرحبا" in mails[0].body


def test_a_figure_inside_a_sentence_is_no_code(folder: Path) -> None:
    send("Paid", body="You were paid 123456 today.")
    assert mails_newest(folder)[0].code == ""


def test_the_mails_of_a_maildir_are_read_too(tmp_path: Path) -> None:
    maildir = mailbox.Maildir(tmp_path / "maildir")
    for subject in ("First", "Second"):
        message = EmailMultiAlternatives(subject, "Hello.\n\n407915\n", "store@example.com", ["amal@example.com"])
        maildir.add(message.message().as_bytes())
    mails = mails_newest(tmp_path / "maildir")
    assert [(mail.subject, mail.code) for mail in mails] == [("Second", "407915"), ("First", "407915")]
    assert mail_find(tmp_path / "maildir", mails[0].key) == mails[0]


def test_a_folder_that_is_not_there_yet_is_an_empty_mailbox(tmp_path: Path) -> None:
    assert mails_newest(tmp_path / "none") == []


@pytest.mark.parametrize(
    "key", ["../../etc/passwd:0", "/etc/passwd:0", "x.log:0", "x.log", "x.log:-1", ":0", "x.log:9999"]
)
def test_only_a_mail_of_the_folder_is_found(folder: Path, key: str) -> None:
    (folder / "x.txt").write_text("not a mail")
    assert mail_find(folder, key) is None


@pytest.mark.django_db
def test_the_page_lists_mails_and_shows_one_with_its_code(client: Client, folder: Path) -> None:
    send("Your code for Accounts Store", to="amal@example.com")
    send("Other", to="sami@example.com")
    page = client.get(reverse("dev_mailbox"), {"to": "amal@"})
    assert "Your code for Accounts Store" in page.content.decode() and "Other" not in page.content.decode()
    mail = page.context["mails"][0]
    shown = client.get(reverse("dev_mail", args=[mail.key])).content.decode()
    assert "data-code>407915<" in shown and "Hello." in shown
    assert client.get(reverse("dev_mail", args=["none.log:0"])).status_code == 404


@pytest.mark.django_db
def test_an_empty_mailbox_says_what_to_do(client: Client, folder: Path) -> None:
    assert "Nothing was mailed yet." in client.get(reverse("dev_mailbox")).content.decode()


@pytest.mark.django_db
def test_with_a_real_mail_server_there_is_no_mailbox(client: Client, settings: object) -> None:
    settings.DEV_MAILBOX = ""  # type: ignore[attr-defined]
    assert client.get(reverse("dev_mailbox")).status_code == 404
