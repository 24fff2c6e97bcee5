// Light, dark, or like the device. Runs in <head> before the first paint, so that no page flashes.
(() => {
  const device = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try { return localStorage.getItem("theme") || "system"; } catch { return "system"; }
  };
  const apply = () => {
    const dark = chosen() === "dark" || (chosen() === "system" && device.matches);
    document.documentElement.dataset.theme = dark ? "accounts-dark" : "accounts";
    for (const button of document.querySelectorAll("[data-theme-choice]")) {
      button.setAttribute("aria-pressed", String(button.dataset.themeChoice === chosen()));
    }
  };
  apply();
  device.addEventListener("change", apply);
  addEventListener("storage", apply);
  document.addEventListener("DOMContentLoaded", apply);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-theme-choice]");
    if (!button) return;
    try { localStorage.setItem("theme", button.dataset.themeChoice); } catch { /* The choice lasts for this page. */ }
    apply();
  });
})();
