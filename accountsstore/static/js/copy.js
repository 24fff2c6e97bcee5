// Copy buttons. Without the clipboard (plain http on another machine) the old way is tried, then the words say so.

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "sr-only";
    (document.querySelector("dialog[open]") || document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    return done;
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button || button.dataset.was) return;
  const done = await copied(button.dataset.copy);
  button.focus();
  const label = button.querySelector("[data-label]") || button;
  button.dataset.was = label.textContent;
  label.textContent = done ? button.dataset.done : button.dataset.failed;
  setTimeout(() => {
    label.textContent = button.dataset.was;
    delete button.dataset.was;
  }, 2000);
});
