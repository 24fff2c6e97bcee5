// Keeps deadlines true: each minute, and each second in the last hour. Words as in templatetags/store.py.

const words = document.body.dataset;
const pad = (number) => String(number).padStart(2, "0");

function left(seconds) {
  const minutes = Math.floor(seconds / 60);
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return words.leftDays.replace("{d}", Math.floor(hours / 24)).replace("{h}", hours % 24);
  if (hours) return words.leftHours.replace("{h}", hours).replace("{m}", pad(minutes % 60));
  return words.leftMinutes.replace("{m}", minutes).replace("{s}", pad(seconds % 60));
}

function draw() {
  let next = 60_000;
  for (const deadline of document.querySelectorAll("[data-deadline]")) {
    const seconds = Math.floor((new Date(deadline.dataset.deadline) - Date.now()) / 1000);
    const text = seconds > 0 ? (deadline.dataset.pattern || "{time}").replace("{time}", left(seconds)) : words.leftOver;
    const time = deadline.querySelector("time");
    if (time.textContent !== text) time.textContent = text;
    deadline.dataset.level = seconds < 3600 ? "last" : seconds < 6 * 3600 ? "soon" : "";
    if (seconds > 0 && seconds < 3660) next = 1000;
  }
  for (const meter of document.querySelectorAll("[data-deadline-meter]")) {
    meter.value = (Date.now() - new Date(meter.dataset.deadlineMeter)) / 1000;
  }
  clearTimeout(timer);
  timer = setTimeout(draw, next);
}

let timer;
draw();
document.addEventListener("visibilitychange", () => document.hidden || draw());
document.addEventListener("htmx:afterSettle", draw);
