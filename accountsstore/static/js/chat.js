// Conversations on the page: messages as they come, in their order, none twice and none lost. The store numbers them
// without a gap, so a jump in the numbers tells that something was missed, and it is asked for again.

const RECEIPT_MS = 300;
const TYPING_EVERY_MS = 3_000;
const TYPING_SHOWN_MS = 5_000;
const OFFLINE_AFTER_MS = 1_500;
// Whatever was lost without anybody's notice is found after this.
const CATCH_UP_MS = 300_000;
const NEAR_END_PX = 160;

const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
const send = (frame) => tell("store:send", frame);
const language = document.documentElement.lang;
// Times of day in the store's time zone, as the server writes them.
const clockIn = (timeZone) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });

class Chat {
  constructor(root) {
    const data = root.dataset;
    this.root = root;
    this.id = data.chat;
    this.me = data.me;
    this.other = data.other;
    this.last = Number(data.last);
    this.changes = Number(data.changes);
    this.far = { read: Number(data.otherRead), delivered: Number(data.otherDelivered) };
    this.log = root.querySelector("[data-chat-log]");
    this.lines = root.querySelector("[data-chat-lines]");
    this.pending = root.querySelector("[data-chat-pending]");
    this.dots = root.querySelector("[data-chat-typing]");
    this.form = root.querySelector("[data-chat-form]");
    this.offline = root.querySelector("[data-chat-offline]");
    this.clock = clockIn(data.timeZone);
    this.isoDay = new Intl.DateTimeFormat("en-CA", { timeZone: data.timeZone });
    this.dayWords = new Intl.DateTimeFormat(`${language}-u-nu-latn`, { weekday: "long", day: "numeric", month: "long", timeZone: data.timeZone });
    this.told = { read: 0, delivered: 0 };
    this.inView = false;
    if (!location.hash.startsWith("#m")) this.toEnd(); // else a search led to one message
    new IntersectionObserver(([entry]) => { this.inView = entry.isIntersecting; this.receipts(); }).observe(this.log);
    if (this.form) this.prepareForm();
    for (const link of this.lines.querySelectorAll("[data-edit]")) this.offerEdit(link.closest(".msg"), new Date(link.dataset.edit));
    this.showWaiting();
  }

  // ------------------------------------------------------------ what is on the page

  template(kind) {
    return this.root.querySelector(`template[data-chat-line="${kind}"]`).content.firstElementChild.cloneNode(true);
  }

  isAtEnd() {
    return this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < NEAR_END_PX;
  }

  toEnd() {
    this.log.scrollTop = this.log.scrollHeight;
  }

  setState(line, state, why) {
    const place = line.querySelector("[data-state]");
    if (!place || place.dataset.state === state) return;
    place.dataset.state = state;
    place.replaceChildren(this.root.querySelector(`template[data-chat-state="${state}"]`).content.cloneNode(true));
    if (why) place.querySelector("[data-why]").textContent = why;
  }

  stateOf(seq) {
    return seq <= this.far.read ? "read" : seq <= this.far.delivered ? "delivered" : "sent";
  }

  line(kind, frame, at) {
    const line = this.template(kind);
    this.fill(line, frame);
    line.querySelector("[data-time]").textContent = this.clock.format(at);
    return line;
  }

  /** What the message says now, in its line. */
  fill(line, frame) {
    const text = line.querySelector("[data-text]");
    text.textContent = frame.deleted ? this.root.dataset.deleted : frame.body;
    const bubble = text.closest(".bubble");
    if (!bubble) return; // a line of the store's
    bubble.hidden = !text.textContent;
    for (const name of ["quiet", "italic"]) bubble.classList.toggle(name, Boolean(frame.deleted));
    line.querySelector("[data-edited]").hidden = !frame.edited || frame.deleted;
    line.querySelector("[data-files]").replaceChildren(...(frame.files ?? []).map((file) => this.file(file)));
  }

  file({ id, name, mime, size, width, height }) {
    const picture = mime.startsWith("image/");
    const link = this.root.querySelector(`template[data-chat-file="${picture ? "picture" : "document"}"]`).content.firstElementChild.cloneNode(true);
    link.href = `/files/${id}/${picture ? "large" : "original"}`;
    if (picture) {
      const image = link.querySelector("img");
      image.alt = image.alt.replace("{name}", name);
      image.width = width;
      image.height = height;
      image.src = `/files/${id}/card`;
    } else {
      link.querySelector("[data-name]").textContent = name;
      link.querySelector("[data-size]").textContent = size < 1024 * 1024 ? `${Math.ceil(size / 1024)} kB` : `${(size / 1024 / 1024).toFixed(1)} MB`;
    }
    return link;
  }

  /** One's own message can be edited for a while; the way to do it is taken away in time. */
  offerEdit(line, at) {
    const link = line.querySelector("[data-edit]");
    if (!link || !this.form) return;
    const left = at.getTime() + this.root.dataset.editMinutes * 60_000 - Date.now();
    link.href = this.root.dataset.editUrl.replace("client-id", line.dataset.clientId);
    link.hidden = left <= 0;
    if (left > 0) setTimeout(() => { link.hidden = true; }, left);
  }

  /** Put the message `frame` at the end of the thread. It must be the next number. */
  append(frame) {
    const atEnd = this.isAtEnd();
    const at = new Date(frame.at);
    const mine = frame.sender === this.me;
    const line = this.line(frame.kind === "system" ? "note" : mine ? "mine" : "theirs", frame, at);
    line.dataset.seq = frame.seq;
    line.id = `m${frame.seq}`;
    line.dataset.atDay = this.isoDay.format(at);
    const report = line.querySelector("[data-report]");
    if (report) report.href = `${this.root.dataset.reportUrl}?seq=${frame.seq}`;
    if (mine) {
      line.dataset.clientId = frame.client_id;
      this.pending.querySelector(`[data-client-id="${CSS.escape(frame.client_id)}"]`)?.remove();
      this.setState(line, this.stateOf(frame.seq));
      if (!frame.deleted) this.offerEdit(line, at);
    } else if (frame.sender) {
      this.dots.hidden = true;
      if (document.hidden && !this.lines.querySelector("[data-unread-line]")) this.lines.append(this.template("unread"));
    }
    this.lines.querySelector("[data-chat-empty]")?.remove();
    const before = [...this.lines.querySelectorAll("[data-at-day]")].at(-1);
    if (before?.dataset.atDay !== line.dataset.atDay) {
      const day = this.template("day");
      day.dataset.day = line.dataset.atDay;
      day.textContent = this.dayWords.format(at);
      this.lines.append(day);
    }
    this.lines.append(line);
    this.last = frame.seq;
    if (atEnd || mine) this.toEnd();
  }

  // ------------------------------------------------------------ from the store

  onMessage(frame, event) {
    if (frame.seq <= this.last) return;
    if (frame.seq > this.last + 1) {
      this.catchUp();
      return;
    }
    this.append(frame);
    if (frame.sender !== this.me) {
      if (frame.sender) this.otherIsHere(frame.sender);
      if (this.isLookedAt()) event.preventDefault();
      this.receipts();
    }
  }

  /** The acknowledgement may overtake the message itself, and it carries all that is missing. */
  onAck(frame) {
    const waiting = this.pending.querySelector(`[data-client-id="${CSS.escape(frame.client_id)}"]`);
    if (!waiting) return;
    if (frame.seq === this.last + 1) {
      this.append({ ...waiting.message, ...frame, sender: this.me, kind: "text" });
    } else if (frame.seq > this.last) {
      this.catchUp();
    } else {
      waiting.remove(); // it is in the thread already
    }
  }

  /** A jump in the numbers of changes, or a message that is not here yet, is asked for. */
  onChanged(frame) {
    if (frame.change <= this.changes) return;
    if (frame.seq > this.last || frame.event && frame.change > this.changes + 1) {
      this.catchUp();
      return;
    }
    this.changes = frame.change;
    const line = this.lines.querySelector(`.msg[data-seq="${frame.seq}"]`);
    if (!line || Number(line.dataset.change ?? 0) >= frame.change) return;
    line.dataset.change = frame.change;
    this.fill(line, { ...frame, edited: true });
    if (frame.deleted) line.querySelector("[data-edit]")?.remove();
  }

  onResumed(frame) {
    this.changes = Math.max(this.changes, frame.change);
    this.receipts();
  }

  onReceipt(frame) {
    if (frame.user !== this.other) return;
    if (frame.event) this.otherIsHere(frame.user); // it happened now; in answer to a resume it only is the state
    this.far = { read: Math.max(this.far.read, frame.read_seq), delivered: Math.max(this.far.delivered, frame.delivered_seq) };
    for (const line of this.lines.querySelectorAll(".msg.me[data-seq]")) this.setState(line, this.stateOf(Number(line.dataset.seq)));
  }

  onTyping(frame) {
    if (frame.user !== this.other) return;
    this.otherIsHere(frame.user);
    const atEnd = this.isAtEnd();
    this.dots.hidden = false;
    if (atEnd) this.toEnd();
    clearTimeout(this.dotsTimer);
    this.dotsTimer = setTimeout(() => { this.dots.hidden = true; }, TYPING_SHOWN_MS);
  }

  onConnection(up) {
    clearTimeout(this.offlineTimer);
    if (up) {
      if (this.offline) this.offline.hidden = true;
      this.catchUp();
    } else {
      this.dots.hidden = true;
      // A blink of the connection is no news.
      this.offlineTimer = setTimeout(() => this.showOffline(), navigator.onLine ? OFFLINE_AFTER_MS : 0);
    }
  }

  showOffline() {
    if (!this.offline) return;
    const atEnd = this.isAtEnd();
    this.offline.hidden = false;
    if (atEnd) this.toEnd();
  }

  /** Who writes or reads is online, before the store says so. */
  otherIsHere(user) {
    tell("store:presence", { user, online: true });
  }

  catchUp() {
    send({ type: "resume", since: { [this.id]: this.last }, changes: { [this.id]: this.changes } });
  }

  // ------------------------------------------------------------ how far this side has come

  isLookedAt() {
    return this.inView && !document.hidden;
  }

  receipts() {
    clearTimeout(this.receiptTimer);
    this.receiptTimer = setTimeout(() => {
      const kind = this.isLookedAt() ? "read" : "delivered";
      if (this.told[kind] >= this.last || this.told.read >= this.last) return;
      this.told[kind] = this.last;
      send({ type: `message.${kind}`, conversation: this.id, seq: this.last });
    }, RECEIPT_MS);
  }

  // ------------------------------------------------------------ writing

  prepareForm() {
    const text = this.form.elements.body;
    const draft = `store.draft.${this.me}.${this.id}`;
    try { text.value ||= sessionStorage.getItem(draft) ?? ""; } catch { /* no draft */ }
    text.addEventListener("input", () => {
      try { sessionStorage.setItem(draft, text.value); } catch { /* no draft */ }
      const now = Date.now();
      if (text.value.trim() && now - (this.typedAt ?? 0) > TYPING_EVERY_MS) {
        this.typedAt = now;
        send({ type: "typing", conversation: this.id });
      }
    });
    text.addEventListener("keydown", (event) => {
      // On a keyboard Enter sends; on glass it makes a line, and the button sends.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || matchMedia("(pointer: coarse)").matches) return;
      event.preventDefault();
      this.form.requestSubmit();
    });
    this.form.addEventListener("submit", (event) => {
      event.preventDefault();
      const body = text.value.trim();
      const taken = { form: this.form, files: [], busy: false };
      tell("store:attach.take", taken);
      if (taken.busy || !body && !taken.files.length) return;
      text.value = "";
      try { sessionStorage.removeItem(draft); } catch { /* no draft */ }
      this.lines.querySelector("[data-unread-line]")?.remove();
      this.typedAt = 0;
      const message = { conversation: this.id, client_id: newId(), body, files: taken.files };
      this.showPending(message);
      tell("store:outbox.add", message);
      text.focus();
    });
    this.pending.addEventListener("click", (event) => {
      const line = event.target.closest("[data-client-id]");
      const detail = { client_id: line?.dataset.clientId };
      if (event.target.closest("[data-chat-retry]")) tell("store:outbox.retry", detail);
      if (event.target.closest("[data-chat-confirm]")) tell("store:outbox.retry", { ...detail, confirmed: true });
      if (event.target.closest("[data-chat-edit]")) {
        text.value = [line.message.body, text.value].filter(Boolean).join("\n");
        tell("store:attach.give", { form: this.form, files: line.message.files ?? [] });
        tell("store:outbox.drop", detail);
        line.remove();
        text.focus();
      }
      if (event.target.closest("[data-chat-drop]")) {
        tell("store:outbox.drop", detail);
        line.remove();
        text.focus();
      }
    });
  }

  showPending(message) {
    if (this.root.querySelector(`[data-client-id="${CSS.escape(message.client_id)}"]`)) return;
    this.lines.querySelector("[data-chat-empty]")?.remove();
    const line = this.line("mine", message, new Date(message.written ?? Date.now()));
    line.dataset.clientId = message.client_id;
    line.message = message;
    this.setState(line, message.why ? message.warned ? "warned" : "failed" : "waiting", message.why);
    this.pending.append(line);
    this.toEnd();
  }

  /** What an earlier page of this browser wrote and could not send. */
  showWaiting() {
    if (!this.form) return;
    const detail = { conversation: this.id, messages: [] };
    tell("store:outbox.list", detail);
    detail.messages.forEach((message) => this.showPending(message));
  }

  pendingLine(clientId) {
    return this.pending.querySelector(`[data-client-id="${CSS.escape(clientId)}"]`);
  }
}

// crypto.randomUUID exists on https and localhost only.
const newId = () => crypto.randomUUID?.() ?? [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// ---------------------------------------------------------------- the conversations of this page

const chats = new Map();
let up = false;

/** Have the store say who of those on the page comes and goes. */
function subscribe() {
  if (up && chats.size) send({ type: "subscribe", conversations: [...chats.keys()] });
}

function find() {
  for (const [id, chat] of chats) if (!chat.root.isConnected) chats.delete(id);
  for (const root of document.querySelectorAll("[data-chat]")) {
    // A page of earlier messages stays as it is.
    if (root.dataset.past || chats.get(root.dataset.chat)?.root === root) continue;
    const chat = new Chat(root);
    chats.set(chat.id, chat);
    if (up) chat.onConnection(true);
    subscribe();
  }
}

const on = (name, act) => document.body.addEventListener(name, (event) => act(event.detail, event));
const of = (frame) => chats.get(frame.conversation);

on("store:message.new", (frame, event) => of(frame)?.onMessage(frame, event));
on("store:message.ack", (frame) => of(frame)?.onAck(frame));
on("store:message.changed", (frame) => of(frame)?.onChanged(frame));
on("store:receipt", (frame) => of(frame)?.onReceipt(frame));
on("store:typing", (frame) => of(frame)?.onTyping(frame));
on("store:presence", (frame) => {
  for (const place of document.querySelectorAll(`[data-presence="${CSS.escape(frame.user)}"]`)) place.hidden = !frame.online;
});
on("store:resumed", (frame) => of(frame)?.onResumed(frame));
// More was missed than the socket carries, or the page knows what the store does not. What is being written survives the
// reload.
on("store:resync", (frame) => { if (of(frame)) location.reload(); });
on("store:error", (frame) => { if (frame.code === "seq_ahead" && of(frame)) location.reload(); });
on("store:connection", (detail) => { up = detail.up; subscribe(); for (const chat of chats.values()) chat.onConnection(up); });
on("store:outbox.failed", ({ client_id, why, warned }) => {
  for (const chat of chats.values()) { const line = chat.pendingLine(client_id); if (line) chat.setState(line, warned ? "warned" : "failed", why); }
});
on("store:outbox.waiting", ({ client_id }) => {
  for (const chat of chats.values()) { const line = chat.pendingLine(client_id); if (line) chat.setState(line, "waiting"); }
});
addEventListener("offline", () => { for (const chat of chats.values()) chat.onConnection(false); });
document.addEventListener("visibilitychange", () => { for (const chat of chats.values()) chat.receipts(); });
setInterval(() => { if (!document.hidden) for (const chat of chats.values()) chat.catchUp(); }, CATCH_UP_MS);

// Earlier messages come in above: what was being read stays where it is.
let heightBefore = 0;
document.body.addEventListener("htmx:beforeSwap", (event) => {
  const log = event.detail.target.closest?.("[data-chat-log]");
  if (log) heightBefore = log.scrollHeight - log.scrollTop;
});
document.body.addEventListener("htmx:afterSettle", (event) => {
  const log = event.detail.target.closest?.("[data-chat-log]") ?? event.detail.elt.closest?.("[data-chat-log]");
  if (log && heightBefore) {
    log.scrollTop = log.scrollHeight - heightBefore;
    heightBefore = 0;
    let day = "";
    for (const note of log.querySelectorAll("[data-day]")) {
      if (note.dataset.day === day) note.remove();
      day = note.dataset.day;
    }
  }
  find();
});

find();
