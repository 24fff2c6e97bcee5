"""The ground floor's jobs."""

from celery import shared_task

from accountsstore import clock, outbox


@shared_task
def event_handle(event_id: str) -> None:
    outbox.event_handle_now(event_id)


@shared_task
def mail_send(mail_id: str) -> None:
    outbox.mail_send_now(mail_id)


# Taken off the queue when it begins: the next tick comes in a second, so none is worth repeating.
@shared_task(acks_late=False)
def clock_tick() -> None:
    clock.tick()
