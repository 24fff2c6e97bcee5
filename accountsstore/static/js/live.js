// Keeps the header true while a page is open: counts, the wallet, and a toast for each notification.

const address = document.querySelector('meta[name="store-live"]').content;
const me = document.querySelector('meta[name="store-user"]').content;
const REFRESH_MS = 400;

let timer;
let welcomed = false;

const on = (name, act) => document.body.addEventListener(name, act);
const tell = (name, detail) => document.body.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));
const shown = (name) => Number(document.querySelector(`[data-count="${name}"] [data-figure]`)?.textContent || 0);

function show(name, count) {
  for (const dot of document.querySelectorAll(`[data-count="${name}"]`)) {
    dot.querySelector("[data-figure]").textContent = Math.min(count, 99);
    dot.hidden = count <= 0;
  }
}

async function refresh() {
  const answer = await fetch(address, { headers: { Accept: "application/json" } }).catch(() => null);
  if (!answer?.ok || answer.redirected) return; // the next event asks again
  const figures = await answer.json();
  for (const name of ["messages", "notifications", "orders"]) show(name, figures[name]);
  if (figures.wallet) for (const pill of document.querySelectorAll("[data-wallet]")) pill.textContent = figures.wallet;
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, REFRESH_MS);
}

// chat.js prevents the default of a message that the person is looking at: it is not news.
on("store:message.new", (event) => {
  const frame = event.detail;
  if (frame.sender === me || event.defaultPrevented) return;
  show("messages", shown("messages") + 1);
  tell("store:send", { type: "message.delivered", conversation: frame.conversation, seq: frame.seq });
});
// Read here or on another device.
on("store:receipt", (event) => { if (event.detail.user === me && shown("messages")) soon(); });
on("store:notification.new", (event) => {
  show("notifications", event.detail.unread);
  // Who looks at what it is about sees it there.
  if (event.detail.url !== location.pathname) tell("store:toast", { text: event.detail.text });
});
on("store:order.changed", soon);
on("store:wallet.changed", soon);
// Something may have happened unheard: parts of the page that follow these ask again.
function missed() {
  soon();
  tell("store:order.changed", {});
  tell("store:wallet.changed", {});
}

on("store:welcome", () => {
  if (welcomed) missed();
  welcomed = true;
});
on("store:resync", (event) => { if (!event.detail.conversation) missed(); });
