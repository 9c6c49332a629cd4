"use strict";
// The page is whole without this: it sorts and filters the list of files, and opens a passport that a link points to.
const list = document.getElementById("list");
const text = (row, column) => row.cells[column].textContent.trim();
const figure = (written) => Number(written.replaceAll(",", ""));

function sortBy(head) {
  const column = head.cellIndex, body = list.tBodies[0];
  const up = head.getAttribute("aria-sort") !== "ascending";
  const compare = head.classList.contains("n")
    ? (a, b) => figure(text(a, column)) - figure(text(b, column))
    : (a, b) => text(a, column).localeCompare(text(b, column), "en");
  const rows = [...body.rows].sort(compare);
  body.append(...(up ? rows : rows.reverse()));
  for (const each of list.tHead.rows[0].cells) each.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
}

function open() {
  const found = location.hash && document.getElementById(location.hash.slice(1));
  if (found instanceof HTMLDetailsElement) found.open = true;
}

if (list) {
  for (const head of list.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sortBy(head));
    head.append(button);
  }
  const input = document.getElementById("filter");
  input.closest("p").hidden = false;
  input.addEventListener("input", () => {
    const wanted = input.value.toLowerCase();
    for (const row of list.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
addEventListener("hashchange", open);
addEventListener("beforeprint", () => {
  for (const each of document.querySelectorAll("details:not(.green)")) each.open = true;
});
open();
