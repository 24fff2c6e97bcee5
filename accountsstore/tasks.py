"""The ground floor's jobs."""

from celery import shared_task

from accountsstore import outbox


@shared_task(acks_late=True)
def event_handle(event_id: str) -> None:
    outbox.event_handle_now(event_id)


# Three tries, 2 s apart and doubling, with jitter; after that the clock's flush keeps trying.
@shared_task(autoretry_for=(OSError,), max_retries=3, retry_backoff=2, retry_jitter=True, acks_late=True)
def mail_send(mail_id: str) -> None:
    outbox.mail_send_now(mail_id)
