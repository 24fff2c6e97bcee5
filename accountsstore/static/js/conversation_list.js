// The list of conversations, alone or beside a thread: the newest line and the count of each, the newest on top. Comes after
// chat.js, which prevents the default of a message that the person is looking at: it is not counted here.

const on = (name, act) => document.body.addEventListener(name, (event) => act(event.detail, event));
// Times of day in the store's time zone, as the server writes them.
const clockIn = (timeZone) => new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone });
const rowOf = (id) => document.querySelector(`[data-conversation="${CSS.escape(id)}"]`);
const askedFor = new Map();
let connectedBefore = false;
let heard = 0;

on("store:message.new", (frame, event) => {
  heard += 1;
  const row = rowOf(frame.conversation);
  if (!row || askedFor.has(frame.conversation)) return void askForRow(frame.conversation);
  if (frame.seq <= Number(row.dataset.last)) return; // the store had it when it drew the row
  row.dataset.last = frame.seq;
  const me = document.querySelector('meta[name="store-user"]').content;
  showInList(row, frame);
  row.querySelector("[data-list-own]").hidden = frame.sender !== me;
  row.querySelector("[data-list-time]").textContent = clockIn(row.closest("[data-conversations]").dataset.conversations).format(new Date(frame.at));
  row.parentElement.prepend(row);
  if (frame.sender === me || event.defaultPrevented) return;
  const dot = row.querySelector("[data-list-unread]");
  const figure = dot.querySelector("[data-figure]");
  figure.textContent = (dot.hidden ? 0 : Number(figure.textContent)) + 1;
  dot.hidden = false;
});

/** A conversation that has just begun, or is further down than the page shows: the store has its row, with all counted so
 * far. Until it is here what comes is not counted but asked for again. */
async function askForRow(id) {
  const list = document.querySelector("[data-row-url]");
  if (!list) return;
  const turn = Symbol(id);
  askedFor.set(id, turn);
  const answer = await fetch(list.dataset.rowUrl.replace("0".repeat(32), id)).catch(() => null);
  const html = answer?.ok && !answer.redirected ? await answer.text() : "";
  if (askedFor.get(id) !== turn) return;
  askedFor.delete(id);
  if (!html) return; // the next message asks again
  rowOf(id)?.remove();
  list.querySelector("[data-list-empty]")?.remove();
  list.querySelector("ul").insertAdjacentHTML("afterbegin", html);
}

// What came between the drawing of the page and the socket's welcome, or while there was none.
on("store:connection", ({ up }) => {
  if (!up) return;
  // Without a socket also what was read elsewhere was missed.
  catchUp(connectedBefore);
  connectedBefore = true;
});

async function catchUp(whole) {
  const list = document.querySelector("[data-rows-url]");
  if (!list) return;
  const top = list.querySelector("[data-conversation]");
  const newest = top && !whole ? `${top.dataset.conversation}.${top.dataset.last}` : "";
  const before = heard;
  const answer = await fetch(`${list.dataset.rowsUrl}?newest=${newest}`).catch(() => null);
  if (answer?.status !== 200 || answer.redirected) return; // nothing new, or the next connection asks again
  const html = await answer.text();
  if (heard !== before) return void catchUp(true); // drawn before what has come since
  const open = list.querySelector("[aria-current]")?.closest("[data-conversation]");
  list.querySelector("ul").innerHTML = html;
  const now = open && rowOf(open.dataset.conversation);
  if (!now) return;
  now.className = open.className;
  now.querySelector("a").setAttribute("aria-current", "page");
  now.querySelector("[data-list-unread]").hidden = true;
}

function showInList(row, { body, files, deleted }) {
  const words = deleted ? row.closest("[data-conversations]").dataset.deleted : body || files.map((file) => file.name).join(", ");
  row.querySelector("[data-list-text]").textContent = words;
}

on("store:message.changed", (frame) => {
  const row = frame.newest && rowOf(frame.conversation);
  if (row) showInList(row, frame);
});
