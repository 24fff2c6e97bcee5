// The staff desk is drawn by django-unfold for the mouse and from the left. This gives its pages what a keyboard, a
// screen reader and Arabic need; without a script unfold does not work at all.

/** Icons that point somewhere: mirrored where the page runs from the right. */
const POINTING = new Set(["arrow_back", "arrow_forward", "chevron_left", "chevron_right", "dock_to_right", "undo"]);

/** What a mouse presses although it is neither a link nor a button. */
const PRESSED = "a[x-on\\:click]:not([href]), .cursor-pointer[x-on\\:click]:not(a, button, label, input)";

document.addEventListener("DOMContentLoaded", () => {
  document.getElementById("main")?.setAttribute("role", "main");
  improve(document);
  // Before SimpleBar makes regions of them, all with one name.
  const title = document.querySelector("h1")?.textContent ?? "";
  const site = document.querySelector("#nav-sidebar")?.textContent ?? "";
  for (const box of document.querySelectorAll("[data-simplebar]")) {
    const name = box.closest("[data-inline-type]")?.querySelector("h2")?.textContent ?? (box.closest("#nav-sidebar") ? site : title);
    box.setAttribute("data-simplebar-aria-label", name.trim().split("\n")[0].trim());
  }
});

// A part of the page that was drawn anew (desk_live.js).
document.addEventListener("desk:drawn", (event) => improve(event.target));

function improve(root) {
  for (const icon of root.querySelectorAll(".material-symbols-outlined")) {
    // Its text is the name of a drawing.
    icon.setAttribute("aria-hidden", "true");
    icon.classList.toggle("desk-flip", POINTING.has(icon.textContent.trim()));
  }
  for (const element of root.querySelectorAll(PRESSED)) {
    element.setAttribute("role", "button");
    element.tabIndex = 0;
    element.addEventListener("keydown", (event) => {
      if (event.target !== element || (event.key !== "Enter" && event.key !== " ")) return;
      event.preventDefault();
      element.click();
    });
  }
}
