// The time left until data-until, by the server's clock (data-now is when the page was made). A screen reader is told
// in the status at five minutes, at one, and at the end: every second would talk over everything else.
const TOLD = [300, 60];

// Minutes and seconds, and hours where there are some: a freed slot is offered for hours.
function asClock(left) {
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(left / 3600);
  const minutes = Math.floor(left / 60) % 60;
  return hours ? `${hours}:${two(minutes)}:${two(left % 60)}` : `${minutes}:${two(left % 60)}`;
}

export function countDown(root) {
  for (const place of root.querySelectorAll("[data-until]")) {
    if (place.dataset.bound) continue;
    place.dataset.bound = "1";
    const ahead = Date.parse(place.dataset.now) - Date.now();
    const until = Date.parse(place.dataset.until);
    const [words, timer, status] = place.children;
    let last = Infinity;
    const tick = () => {
      if (!place.isConnected) return clearInterval(beat);
      const left = Math.ceil((until - Date.now() - ahead) / 1000);
      const passed = TOLD.find((mark) => left <= mark && mark < last);
      if (passed) status.textContent = place.dataset.left.replace("#", String(Math.ceil(left / 60)));
      last = left;
      if (left > 0) {
        timer.textContent = asClock(left);
        return;
      }
      clearInterval(beat);
      words.textContent = "";
      timer.textContent = place.dataset.over;
      status.textContent = place.dataset.over;
    };
    const beat = setInterval(tick, 1000);
    tick();
  }
}
