"use strict";
// What the theme leaves without a name, or two of which it calls the same: screen readers list them by their names.
{
  const call = (element, name) => { if (element.getAttribute("aria-label") !== name) element.setAttribute("aria-label", name); };
  const names = () => {
    const taken = new Set();
    document.querySelectorAll(".md-search").forEach(dialog => call(dialog, "Search"));
    document.querySelectorAll(".md-code__nav").forEach((bar, at) => call(bar, `Code ${at + 1}`));
    document.querySelectorAll("nav.md-nav").forEach(list => {
      const label = list.dataset.name || document.getElementById(list.getAttribute("aria-labelledby"))?.innerText.trim() || list.getAttribute("aria-label") || "Pages";
      list.dataset.name = label;
      list.removeAttribute("aria-labelledby");
      let name = label;
      for (let more = 2; taken.has(name); more++) name = `${label} ${more}`;
      taken.add(name);
      call(list, name);
    });
    document.querySelectorAll("th:empty").forEach(head => head.replaceWith(document.createElement("td")));
    document.querySelectorAll(".md-typeset__scrollwrap").forEach(table => { if (table.tabIndex !== 0 && table.scrollWidth > table.clientWidth) table.tabIndex = 0; });
  };
  names();
  addEventListener("resize", names);
  new MutationObserver(names).observe(document.body, { childList: true, subtree: true });
}
