// Queues of the staff desk, and an open ticket, kept true by the store's socket: when something happens to them the page
// is fetched again and these parts of it are replaced. What somebody is writing stays.

const EVENTS = { ticket: "ticket.changed", messagereport: "message_report.changed" };
const PARTS = ["changelist-form", "ticket-thread", "ticket-facts", "ticket-notes"];
const WAIT_MS = 300;

const model = Object.keys(EVENTS).find((name) => document.body.classList.contains(`model-${name}`));
const open = document.querySelector("[data-ticket]")?.dataset.ticket;
const thread = document.getElementById("ticket-thread");

const drawn = new Map();
let timer;
let welcomed = false;

const newId = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function refresh() {
  const answer = await fetch(location.href).catch(() => null);
  if (!answer?.ok || answer.redirected) return; // the next event asks again
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const id of PARTS) {
    const now = document.getElementById(id);
    const fresh = page.getElementById(id);
    if (!now || !fresh || drawn.get(id) === fresh.innerHTML) continue;
    const atEnd = now.scrollHeight - now.scrollTop - now.clientHeight < 80;
    drawn.set(id, fresh.innerHTML);
    now.innerHTML = fresh.innerHTML;
    if (atEnd) now.scrollTop = now.scrollHeight;
    now.dispatchEvent(new CustomEvent("desk:drawn", { bubbles: true }));
  }
}

function soon() {
  clearTimeout(timer);
  timer = setTimeout(refresh, WAIT_MS);
}

if (model) {
  document.body.addEventListener(`store:${EVENTS[model]}`, (event) => {
    if (!open || event.detail.ticket === open) soon();
  });
  document.body.addEventListener("store:welcome", () => {
    if (welcomed) soon(); // something may have happened while there was no connection
    welcomed = true;
  });
  document.body.addEventListener("store:resync", (event) => { if (!event.detail.conversation) soon(); });
}

for (const form of document.querySelectorAll("[data-desk-write]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const refused = form.querySelector("[data-desk-refused]");
    button.disabled = true;
    const answer = await fetch(form.action, { method: "POST", body: new FormData(form), headers: { Accept: "application/json" } }).catch(() => null);
    button.disabled = false;
    if (answer?.ok && !answer.redirected) {
      form.reset();
      const once = form.querySelector("[data-desk-once]");
      if (once) once.value = newId();
      refused.hidden = true;
      refresh();
      return;
    }
    const why = await answer?.json().catch(() => null);
    refused.textContent = why?.detail ?? form.closest("[data-ticket]").dataset.failed;
    refused.hidden = false;
  });
}

if (thread) thread.scrollTop = thread.scrollHeight;
