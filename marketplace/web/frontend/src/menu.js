// An unfolded section of the menu folds again at Escape, and when attention goes elsewhere.
const unfolded = () => document.querySelector("details.unfolds[open]");

document.addEventListener("keydown", (event) => {
  const section = event.key === "Escape" && unfolded();
  if (!section) return;
  section.open = false;
  section.querySelector("summary").focus();
});

for (const kind of ["click", "focusin"]) {
  document.addEventListener(kind, (event) => {
    const section = unfolded();
    if (section && !section.contains(event.target)) section.open = false;
  });
}
