// Messages that the store has not acknowledged yet, of all conversations, on every page. They survive a reload, go out
// one after the other, and again until they are acknowledged: the store takes a client_id once, however often it comes.
//
// `store:outbox.add` {conversation, client_id, body, files} keeps and sends one; `.retry` {client_id, confirmed} and
// `.drop` {client_id} decide about one that was refused or warned of; `.list` {conversation, messages: []} is filled at
// once. `store:outbox.failed` {client_id, why, warned} and `store:outbox.waiting` {client_id} tell what became of one.

const RETRY_MS = 10_000;
const SLOW_DOWN_MS = 2_000;
// Refused for now; everything else was refused for good.
const PASSING = new Set(["slow_down", "failed", "unavailable"]);

const me = document.querySelector('meta[name="store-user"]').content;
const prefix = `store.outbox.${me}.`;
// Where storage is closed (private windows of some browsers), messages still go out, but do not survive a reload.
const memory = new Map();

let up = false;
let sending = null;
let timer;

const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));

function keep(message) {
  memory.set(message.client_id, message);
  try { localStorage.setItem(prefix + message.client_id, JSON.stringify(message)); } catch { /* memory has it */ }
}

function forget(clientId) {
  memory.delete(clientId);
  try { localStorage.removeItem(prefix + clientId); } catch { /* it was never there */ }
}

// One key per message, so that two tabs never overwrite each other's list.
function load() {
  try {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith("store.outbox.")) continue;
      if (!key.startsWith(prefix)) localStorage.removeItem(key); // somebody else was signed in here before
      else if (!memory.has(key.slice(prefix.length))) memory.set(key.slice(prefix.length), JSON.parse(localStorage.getItem(key)));
    }
  } catch { /* as above */ }
}

const waiting = () => [...memory.values()].sort((a, b) => a.written - b.written);

function pump() {
  clearTimeout(timer);
  if (!up) return;
  const next = waiting().find((message) => !message.why);
  sending = next?.client_id ?? null;
  if (!next) return;
  const { conversation, client_id, body, files = [], confirmed = false } = next;
  tell("store:send", { type: "message.send", conversation, client_id, body, files: files.map((file) => file.id), confirmed });
  timer = setTimeout(pump, RETRY_MS);
}

// It waits for its writer to decide.
function stop(clientId, why, warned) {
  keep({ ...memory.get(clientId), why, warned });
  tell("store:outbox.failed", { client_id: clientId, why, warned });
  pump();
}

function done(clientId) {
  if (!memory.has(clientId)) return;
  forget(clientId);
  if (clientId === sending) pump();
}

const on = (name, act) => document.body.addEventListener(name, (event) => act(event.detail));

on("store:connection", (detail) => { up = detail.up; sending = null; pump(); });
on("store:message.ack", (frame) => done(frame.client_id));
on("store:message.new", (frame) => { if (frame.sender === me) done(frame.client_id); });
on("store:error", (frame) => {
  if (PASSING.has(frame.code)) {
    if (!sending || frame.client_id && frame.client_id !== sending) return;
    clearTimeout(timer);
    timer = setTimeout(pump, SLOW_DOWN_MS);
  } else if (memory.has(frame.client_id)) {
    stop(frame.client_id, frame.detail, false);
  }
});
on("store:message.warning", (frame) => { if (memory.has(frame.client_id)) stop(frame.client_id, frame.detail, true); });
on("store:outbox.add", (message) => {
  const last = Math.max(0, ...waiting().map((each) => each.written));
  keep({ ...message, written: Math.max(Date.now(), last + 1) });
  if (!sending) pump();
});
on("store:outbox.retry", ({ client_id, confirmed = false }) => {
  if (!memory.has(client_id)) return;
  keep({ ...memory.get(client_id), why: "", warned: false, confirmed });
  tell("store:outbox.waiting", { client_id });
  if (!sending) pump();
});
on("store:outbox.drop", ({ client_id }) => forget(client_id));
on("store:outbox.list", (detail) => {
  detail.messages.push(...waiting().filter((message) => message.conversation === detail.conversation));
});
// Another tab sent or dropped one.
addEventListener("storage", (event) => {
  if (event.key?.startsWith(prefix) && event.newValue === null) done(event.key.slice(prefix.length));
});
load();
