// Toasts: good news that passes. From the server in the page, or by the event
// "store:toast" with detail {text, title} (an HX-Trigger header works too). Errors are banners, never toasts.

const stay = 6000;
const place = document.getElementById("toasts");

function watch(card) {
  let timer = setTimeout(() => card.remove(), stay);
  const hold = () => clearTimeout(timer);
  const go = () => { clearTimeout(timer); timer = setTimeout(() => card.remove(), stay); };
  card.addEventListener("pointerenter", hold);
  card.addEventListener("focusin", hold);
  card.addEventListener("pointerleave", go);
  card.addEventListener("focusout", go);
}

function toast({ text, title }) {
  const card = document.getElementById("toast-template").content.firstElementChild.cloneNode(true);
  card.querySelector("[data-toast-text]").textContent = text;
  const head = card.querySelector("[data-toast-title]");
  head.textContent = title || "";
  head.hidden = !title;
  place.append(card);
  watch(card);
}

place.querySelectorAll("[data-toast]").forEach(watch);
document.addEventListener("store:toast", (event) => toast(event.detail));
document.addEventListener("click", (event) => event.target.closest("[data-toast-close]")?.closest("[data-toast]").remove());
