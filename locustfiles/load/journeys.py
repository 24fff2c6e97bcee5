"""Locust's file: what each kind of person does, and how many of a hundred are of which kind.

    locust -f locustfiles/load/journeys.py --host https://store.example --cast cast.json --users 500 --headless

Everybody opens a page in `--page-seconds` on average (120: the rate that the sizes in docs/ are planned with): the pages of
a journey follow each other within seconds, then the tab stands open with its socket. The steps are named after what people
do and the address they do it at; a step that shows another page than the expected one has failed.
"""

import base64
import html
import random
import re
import sys
import time
import uuid
from collections import deque
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import gevent
from locust import events
from locust.env import Environment
from locust.runners import MasterRunner

from locustfiles.load.people import ROLES, Cast
from locustfiles.load.person import Person
from locustfiles.load.store_socket import ANSWER_SECONDS, Frame
from locustfiles.pages import CONVERSATION, form_fields, form_of

ROW = re.compile(r'<a class="stretch" href="(/listing/[^"]+)"[^>]*>(.*?)</a>')
CATEGORY = re.compile(r'href="(/browse/\?category=[^"]+)"')
SELLER = re.compile(r'href="(/sellers/[^"?]+)')
ORDER = re.compile(r'href="(/orders/[0-9A-Z-]+/)"')
REVEAL = re.compile(r'data-reveal="([^"]+)"')
LIVE = re.compile(r'hx-get="(/orders/[^"]+/live/\?seen=[^"]*)"')
TEXT_FIELD = re.compile(r'<input[^>]*type="text"[^>]*name="([^"]+)"')
DEPOSIT = re.compile(r'href="(/admin/payments/deposit/[^/"]+/change/)')
FAVOURITE = 0.3
# A seller who hears of an order hands over within so long; a buyer's tab waits for it, then for another day.
DELIVERY_SECONDS = (3.0, 15.0)
WAIT_SECONDS = 60.0
# static/js/outbox.js sends a message again when it was not acknowledged for so long.
RESEND_SECONDS = 10.0
# Only what this process said is measured: the clock of another one is another.
SAID = f"said by {uuid.uuid4().hex[:8]} at "


@events.init_command_line_parser.add_listener
def _options(parser: Any) -> None:
    group = parser.add_argument_group("The store's journeys")
    group.add_argument("--cast", default="var/load/cast.json", help="who plays (python -m locustfiles.load.cast)")
    group.add_argument("--page-seconds", type=float, default=120.0, help="each person opens a page in so long")
    group.add_argument("--message-seconds", type=float, default=60.0, help="who chats says something in so long")
    group.add_argument("--deposit-share", type=float, default=0.1, help="of the buyers pay in before they search")
    group.add_argument("--ca", default="", help="the certificate to trust, where the store has one of its own")
    group.add_argument("--workers", type=int, default=1, help="processes that generate load together")
    group.add_argument("--no-static", dest="static", action="store_false", help="nobody loads static files")


@events.init.add_listener
def _read_the_cast(environment: Environment, **more: Any) -> None:
    """A cast that cannot be read is said once, before anybody comes. The master plays nobody."""
    if environment.parsed_options and not isinstance(environment.runner, MasterRunner):
        try:
            Cast(Path(environment.parsed_options.cast))
        except ValueError as error:
            sys.exit(str(error))


class Visitor(Person):
    """Looks around without an account."""

    role, weight, pages = "visitor", 8, 6

    def journey(self) -> None:
        home = self.page("home /", "/", has='id="main"')
        if categories := CATEGORY.findall(home):
            self.look()
            self.page("category /browse/?category=", html.unescape(random.choice(categories)), has='id="browse"')
        self.look()
        results = search(self)
        self.look()
        look_at(self, results)
        self.look()
        self.page(*random.choice([("rules /rules/", "/rules/"), ("help /help/", "/help/")]), has='id="main"')


class Buyer(Person):
    """Searches, buys from the wallet, looks at what came, and accepts it. Now and then pays in."""

    role, weight, pages = "buyer", 6, 8

    def journey(self) -> None:
        if random.random() < self.options.deposit_share:
            self._pay_in()
            self.look()
        results = search(self)
        self.look()
        look_at(self, results)
        self.look()
        self._buy(random.choice(self.cast.for_sale))

    def _buy(self, ware: dict[str, str]) -> None:
        checkout = f"/checkout/{ware['code']}/"
        self.page("listing /listing/", ware["path"], has=checkout)
        if random.random() < FAVOURITE:
            toggle = f"/favourites/{ware['code']}/"
            self.change("favourite /favourites/", toggle, has=toggle)
        self.look()
        text = self.page("checkout /checkout/", checkout, has=ware["title"])
        fields = form_fields(form_of(text, 'id="checkout"'))
        self.look()
        order = self.submit("buy /checkout/", checkout, fields | {"terms": "on"}, leads_to="/orders/")
        number = order.rstrip("/").rpartition("/")[2]
        delivered = self.socket.expect(
            lambda frame: (
                frame["type"] == "order.changed" and (frame["number"], frame["state"]) == (number, "delivered")
            )
        )
        text = self.page("order /orders/", order, has=number)
        self.part("order's chat /messages/order/", f"/messages/order/{number}/", has="data-chat=")
        if not REVEAL.search(text):
            text = self._wait_for_it(delivered, text)
        self.socket.forget(delivered)
        self.look()
        if field := REVEAL.search(text):
            self._reveal(order, field[1])
            self.look()
            self.submit("accept /orders/accept/", f"{order}accept/", {"note": ""}, leads_to=order)
            self.page("order /orders/", order, has="Accepted")

    def _wait_for_it(self, delivered: Any, text: str) -> str:
        """The page tells by itself that the seller has delivered; what changed of it then."""
        try:
            delivered.get(timeout=max(2.0, WAIT_SECONDS * self.tempo))
        except gevent.Timeout:
            return ""
        live = LIVE.search(text)
        return self.part("order changes /orders/live/", html.unescape(live[1]), has='id="order-live"') if live else ""

    def _reveal(self, order: str, field: str) -> None:
        data = {"csrfmiddlewaretoken": self.token, "field": field, "password": self.cast.password}
        self.ask("reveal /orders/reveal/", "POST", f"{order}reveal/", has='"value": "login ', data=data)

    def _pay_in(self) -> None:
        path = "/wallet/deposit/?method=bank"
        self.page("wallet /wallet/", "/wallet/", has="data-wallet")
        self.look()
        fields = form_fields(self.page("pay in /wallet/deposit/", path, has='name="proof"'))
        files = {"proof": ("receipt.jpg", base64.b64decode(self.cast.receipt), "image/jpeg")}
        fields |= {"method": "bank", "amount": "25.00", "transfer_reference": f"LOAD-{uuid.uuid4().hex[:12]}"}
        target = self.submit(
            "hand in a receipt /wallet/deposit/", "/wallet/deposit/", fields, "/wallet/deposits/", files=files
        )
        self.page("deposit /wallet/deposits/", target, has="DP-")


class Seller(Person):
    """Hands over what was bought as soon as the tab says so; else looks after the shop."""

    role, weight, pages = "seller", 1, 4

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        self.sold: deque[str] = deque()

    def heard(self, frame: Frame) -> None:
        super().heard(frame)
        if frame["type"] == "order.changed" and frame["state"] == "funded":
            self.sold.append(frame["number"])

    def rest(self) -> float:
        return random.uniform(*DELIVERY_SECONDS) * self.tempo

    def journey(self) -> None:
        if self.sold:
            self._deliver(f"/orders/{self.sold.popleft()}/")
        elif random.random() < sum(DELIVERY_SECONDS) / 2 / (3 * self.options.page_seconds):
            self._look_after_the_shop()

    def _look_after_the_shop(self) -> None:
        self.page("desk /sell/", "/sell/", has='id="desk"')
        self.look()
        orders = ORDER.findall(self.page("sales /sell/orders/", "/sell/orders/?tab=todo", has='id="order-list"'))
        self.look()
        if orders:
            # Bought while no tab of theirs was open.
            self._deliver(orders[0])
        elif random.random() < 0.5:
            self.page("shop /sell/listings/", "/sell/listings/", has='id="main"')
        else:
            self.page("earnings /sell/earnings/", "/sell/earnings/", has='id="main"')

    def _deliver(self, order: str) -> None:
        text = self.page("order /orders/", order, has=order)
        form = form_of(text, f'action="{order}deliver/"')
        if not form:
            return  # another tab was quicker
        self.look()
        secret = dict.fromkeys(TEXT_FIELD.findall(form), f"login by hand, {uuid.uuid4().hex[:8]}")
        self.submit("deliver /orders/deliver/", f"{order}deliver/", secret, leads_to=order)
        self.page("order /orders/", order, has="Delivered")


class Talk:
    """What the two of a conversation know of each other's words: for the proof at the end."""

    def __init__(self) -> None:
        self.acknowledged: dict[str, int] = {}


_talks: dict[str, Talk] = {}


class Chatter(Person):
    """One of two who write to each other, over the tab's socket as static/js/chat.js and outbox.js do."""

    role, weight, pages = "chatter", 4, 1

    def come(self) -> None:
        self.key, self.seen, self.changes = self.me["talk"], 0, 0
        self.address = f"/messages/{self.key}/"
        # What was said and not acknowledged yet.
        self.waiting: Frame = {}
        self.talk = _talks.setdefault(self.key, Talk())
        super().come()
        self._open_the_talk()

    def rest(self) -> float:
        return self.options.message_seconds * random.uniform(0.5, 1.5)

    def journey(self) -> None:
        share = self.options.message_seconds / self.options.page_seconds
        if random.random() < share / 2:
            self.page("conversations /messages/", "/messages/", has=self.key if self.seen else "Messages")
            self.look()
            self._open_the_talk()
        self._say()

    def _open_the_talk(self) -> None:
        text = self.page("conversation /messages/…/", self.address, has=f'data-chat="{self.key}"')
        last, changes = re.search(r'data-last="(\d+)"', text), re.search(r'data-changes="(\d+)"', text)
        assert CONVERSATION.search(text) and last and changes
        self.seen, self.changes = max(self.seen, int(last[1])), int(changes[1])

    def _say(self) -> None:
        """Type, send, and again until it is acknowledged."""
        self.socket.say({"type": "typing", "conversation": self.key})
        self.look()
        body = f"{SAID}{time.monotonic():.6f}, and what people say to each other is about as long as this line"
        client_id = uuid.uuid4().hex
        self.waiting = {"type": "message.send", "conversation": self.key, "client_id": client_id, "body": body}
        began = time.perf_counter()
        while True:
            answered = self.socket.expect(
                lambda frame: (
                    frame["type"] in ("message.ack", "error", "message.warning") and frame.get("client_id") == client_id
                )
            )
            self.socket.say(self.waiting)
            try:
                frame = answered.get(timeout=RESEND_SECONDS)
                break
            except gevent.Timeout:
                self.socket.forget(answered)
                self._measured("message is acknowledged", 1000 * RESEND_SECONDS, f"not within {RESEND_SECONDS:.0f} s")
        self.waiting = {}
        error = "" if frame["type"] == "message.ack" else f"{frame['type']}: {frame.get('code', frame.get('detail'))}"
        self._measured("message is acknowledged", 1000 * (time.perf_counter() - began), error)
        if not error:
            self.talk.acknowledged[self.me["user"]] = frame["seq"]

    def heard(self, frame: Frame) -> None:
        super().heard(frame)
        kind = frame["type"]
        if kind == "welcome" and self.here == self.address:
            self.socket.say({"type": "subscribe", "conversations": [self.key]})
            self._resume()
            if self.waiting:
                self.socket.say(self.waiting)
        elif kind == "resync":
            self._resume()
        elif kind == "message.new" and frame["conversation"] == self.key:
            self._hear(frame)

    def _resume(self) -> None:
        self.socket.say({"type": "resume", "since": {self.key: self.seen}, "changes": {self.key: self.changes}})

    def _hear(self, frame: Frame) -> None:
        seq, is_mine = frame["seq"], frame["sender"] == self.me["user"]
        if seq > self.seen + 1:
            self._resume()
        elif seq == self.seen + 1:
            self.seen = seq
            if not is_mine and frame["body"].startswith(SAID):
                said = float(frame["body"].removeprefix(SAID).partition(",")[0])
                self._measured("message reaches the other", 1000 * (time.monotonic() - said), "")
                for receipt in ("message.delivered", "message.read"):
                    self.socket.say({"type": receipt, "conversation": self.key, "seq": seq})

    def on_stop(self) -> None:
        """Whatever the other one was told is stored must have come here."""
        if self.has_come:
            wanted = max((seq for who, seq in self.talk.acknowledged.items() if who != self.me["user"]), default=0)
            give_up = time.monotonic() + ANSWER_SECONDS
            if self.seen < wanted:
                self._resume()
            while self.seen < wanted and time.monotonic() < give_up:
                gevent.sleep(0.05)
            if self.seen < wanted:
                self._measured("message reaches the other", 0, "acknowledged and never came")
        super().on_stop()


class Staff(Person):
    """Works off the queue of deposits. Two of them, however many customers there are."""

    role, fixed_count, pages = "staff", 2, 5

    def journey(self) -> None:
        self.page("desk of staff /admin/", "/admin/", has="Deposits")
        self.look()
        queue = self.page(
            "deposit queue /admin/payments/deposit/", "/admin/payments/deposit/?state__in=submitted", has="changelist"
        )
        self.look()
        if waiting := DEPOSIT.findall(queue):
            self._decide(random.choice(waiting))
        else:
            self.page("ticket queue /admin/chat/ticket/", "/admin/chat/ticket/", has="changelist")

    def _decide(self, deposit: str) -> None:
        for deed in ("claim", "approve"):
            text = self.page("deposit of staff /admin/payments/deposit/", deposit, has="DP-")
            action = re.search(rf'href="(/admin/payments/deposit/[^"]*{deed}[^"]*)"', text)
            if not action:
                return  # the other one was quicker
            self.look()
            path = html.unescape(action[1])
            self.page(f"{deed} a deposit? /admin/", path, has="csrfmiddlewaretoken")
            self.submit(f"{deed} a deposit /admin/", path, {}, leads_to=deposit)
            self.look()


# ------------------------------------------------------------ what several of them do


def search(person: Person) -> str:
    """With words of a title that is on sale; now and then sorted anew, as HTMX does it."""
    words = random.choice(person.cast.words)
    asked = quote_plus(" ".join(random.sample(words, min(len(words), random.choice([1, 1, 2])))))
    text = person.page("search /browse/?q=", f"/browse/?q={asked}", has='<a class="stretch"')
    if random.random() < 0.3:
        person.look()
        sort = random.choice(["newest", "cheapest"])
        text = person.part(
            "sort or filter /browse/", f"/browse/?q={asked}&category=&sort={sort}", 'id="browse"', "browse"
        )
    return text


def look_at(person: Person, results: str) -> None:
    """One of the listings found, which must be the one that stood in the row, and sometimes its seller."""
    if not (rows := ROW.findall(results)):
        return
    path, title = random.choice(rows)
    text = person.page("listing /listing/", html.unescape(path), has=title)
    if (seller := SELLER.search(text)) and random.random() < 0.3:
        person.look()
        person.page("seller /sellers/", seller[1], has=seller[1].rstrip("/").rpartition("/")[2])


assert {kind.role for kind in (Visitor, Buyer, Seller, Chatter, Staff)} == set(ROLES)
