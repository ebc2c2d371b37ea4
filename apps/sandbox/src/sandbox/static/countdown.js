// Counts down what the page already says; without it the page says the time at which it was loaded.
const clock = document.querySelector("[data-countdown]");
if (clock) {
  const over = Date.now() + Number(clock.dataset.countdown) * 1000;
  const tick = () => {
    const left = Math.max(0, Math.round((over - Date.now()) / 1000));
    clock.textContent = `${Math.floor(left / 60)} min ${String(left % 60).padStart(2, "0")} s`;
    clock.classList.toggle("soon", left < 60);
    if (left > 0) return;
    clearInterval(timer);
    document.querySelector("[data-over]").hidden = false;
    for (const button of document.querySelectorAll("button")) button.disabled = true;
  };
  const timer = setInterval(tick, 1000);
  tick();
}
// A second press would change nothing, but it would look as if the first had not counted.
for (const form of document.querySelectorAll("form")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "1";
  });
}
addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => delete form.dataset.sent));
document.getElementById("problem")?.focus();
