// Copies the text of the element that a button's data-copy names, or the button's own data-text. Without this file
// the buttons are not shown, and the text can be marked by hand.
document.documentElement.classList.add("scripted");

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy], button[data-text]");
  if (!button) return;
  const source = button.dataset.copy ? document.getElementById(button.dataset.copy) : null;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(source ? source.textContent : button.dataset.text);
    button.textContent = "copied";
  } catch {
    if (!source) return;
    getSelection().selectAllChildren(source);
    button.textContent = "marked";
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});

// A menu closes when something beside it is clicked, or with Escape.
const closeMenus = (except) => {
  for (const menu of document.querySelectorAll("details.jobs[open]")) {
    if (menu !== except) menu.open = false;
  }
};
document.addEventListener("click", (event) => closeMenus(event.target.closest("details.jobs")));
document.addEventListener("keydown", (event) => { if (event.key === "Escape") closeMenus(null); });
