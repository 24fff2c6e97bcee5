// The tab's one WebSocket. Other modules never see it: a frame from the store becomes the event `store:<type>` on the
// body, with the frame as its detail; the event `store:send` with a frame as its detail sends it, if it can.
// `store:connection` tells {up}. What must not be lost is kept by whoever sends it (outbox.js) until it is acknowledged.

const PING_MS = 25_000;
const ANSWER_MS = 10_000;
const LONGEST_WAIT_MS = 30_000;
const SIGNED_OUT = 4401;
// A process of the store stops while others serve: its thousands come back at once, but not all in the same moment.
const RESTARTING = 1012;
const RESTART_WAIT_MS = 1_500;

let socket = null;
let tries = 0;
let up = false;
let leaving = false;
let signedOutTwice = 0;
let retryTimer, pingTimer, deadTimer;

const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true, cancelable: true }));

function connect() {
  clearTimeout(retryTimer);
  if (socket || leaving) return;
  socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/ws/`);
  socket.addEventListener("message", receive);
  socket.addEventListener("close", closed);
  expectAnswer();
}

function receive(event) {
  const frame = JSON.parse(event.data);
  clearTimeout(deadTimer);
  // Also when the store heard nothing for a while: what was said meanwhile is asked for, as by a new socket.
  if (frame.type === "welcome" || (frame.type === "resync" && !frame.conversation)) {
    tries = 0;
    signedOutTwice = 0;
    up = true;
    clearInterval(pingTimer);
    pingTimer = setInterval(ping, PING_MS);
    tell("store:connection", { up: true });
  }
  tell(`store:${frame.type}`, frame);
}

function ping() {
  send({ type: "ping" });
  expectAnswer();
}

// A connection that is silently dead answers nothing: give it up and make another.
function expectAnswer() {
  clearTimeout(deadTimer);
  deadTimer = setTimeout(() => lost(), ANSWER_MS);
}

function send(frame) {
  if (up && socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(frame));
}

function closed(event) {
  if (event.target !== socket) return;
  // The session ended, or only this socket's view of it (a changed password): the second time there is no doubt, and
  // the reload lands where the store says why.
  if (event.code === SIGNED_OUT && ++signedOutTwice > 1) {
    leaving = true;
    location.reload();
    return;
  }
  lost(event.code === RESTARTING ? RESTART_WAIT_MS : undefined);
}

function lost(longestWait) {
  clearInterval(pingTimer);
  clearTimeout(deadTimer);
  const old = socket;
  socket = null;
  old?.close();
  if (up) {
    up = false;
    tell("store:connection", { up: false });
  }
  if (leaving) return;
  // Full jitter: after a restart of the store its visitors come back spread out, not all at once.
  const wait = Math.random() * (longestWait ?? Math.min(LONGEST_WAIT_MS, 500 * 2 ** tries++));
  clearTimeout(retryTimer);
  retryTimer = setTimeout(connect, wait);
}

function atOnce() {
  if (!socket) {
    tries = 0;
    connect();
  }
}

document.body.addEventListener("store:send", (event) => send(event.detail));
addEventListener("online", atOnce);
addEventListener("offline", () => { if (socket) lost(); });
document.addEventListener("visibilitychange", () => { if (!document.hidden) atOnce(); });
addEventListener("pagehide", () => { leaving = true; socket?.close(); socket = null; });
addEventListener("pageshow", (event) => { if (event.persisted) { leaving = false; up = false; atOnce(); } });
connect();
