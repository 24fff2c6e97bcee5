// Says when the browser is offline, and when the store did not answer a part of the page.

const line = document.querySelector("[data-offline]");
const look = () => { line.hidden = navigator.onLine; };
addEventListener("online", look);
addEventListener("offline", look);
look();

// What the store says to everybody, until it ends.
const announcement = document.querySelector("[data-announcement]");
let announcementTimer;
function announce(text, until) {
  const left = new Date(until) - Date.now();
  clearTimeout(announcementTimer);
  announcement.hidden = !text || left <= 0;
  if (announcement.hidden) return;
  announcement.querySelector("[data-text]").textContent = text;
  // Timers hold 24 days; a page that stays open longer will have asked again.
  announcementTimer = setTimeout(() => { announcement.hidden = true; }, Math.min(left, 2 ** 31 - 1));
}
if (announcement.dataset.until) announce(announcement.querySelector("[data-text]").textContent, announcement.dataset.until);
document.body.addEventListener("store:announcement", ({ detail: { texts, ends_at } }) => {
  announce(texts[document.documentElement.lang] ?? texts.en, ends_at);
});

function failed(text) {
  const old = document.getElementById("failed");
  if (old) old.remove();
  const banner = document.createElement("div");
  banner.id = "failed";
  banner.className = "page pt-4";
  const words = document.createElement("p");
  words.className = "banner banner-error";
  words.setAttribute("role", "alert");
  words.textContent = text || document.body.dataset.failed;
  banner.append(words);
  document.getElementById("main").prepend(banner);
  banner.scrollIntoView({ block: "nearest" });
}

// Only what a person asked for by a click or a submit; a part that refreshes itself tries again on the next event.
const asked = (event) => ["click", "submit"].includes(event.detail.requestConfig?.triggeringEvent?.type);
for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(name, (event) => { if (asked(event)) failed(); });
}
document.addEventListener("store:failed", (event) => failed(event.detail?.text));
