// A click on the head of a column sorts the table by it; another click turns the order round.
document.addEventListener("DOMContentLoaded", () => {
  const value = (row, column) => {
    const text = row.cells[column]?.textContent.trim() ?? "";
    const number = parseFloat(text.replace(/^\u2212/, "-").replace(/^([+-]?)\./, "$10."));
    return Number.isNaN(number) ? text.toLowerCase() : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : `${a}`.localeCompare(`${b}`);

  const sort = (table, head, column) => {
    const ascending = head.getAttribute("aria-sort") !== "ascending";
    const rows = [...table.tBodies[0].rows];
    rows.sort((a, b) => (ascending ? 1 : -1) * compare(value(a, column), value(b, column)));
    table.tBodies[0].append(...rows);
    for (const other of head.parentElement.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  };

  for (const table of document.querySelectorAll(".bd-content table.docutils")) {
    const heads = table.tHead?.rows[0]?.cells ?? [];
    if (table.tBodies[0]?.rows.length < 3) continue;
    [...heads].forEach((head, column) => {
      head.tabIndex = 0;
      head.classList.add("sortable");
      head.addEventListener("click", () => sort(table, head, column));
      head.addEventListener("keydown", (event) => event.key === "Enter" && sort(table, head, column));
    });
  }
});
