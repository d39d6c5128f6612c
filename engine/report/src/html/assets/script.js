// Order, search, expand, copy. Without it the page reads the same: filters and chart forms are style rules.
(function () {
  "use strict";
  var root = document.documentElement;
  root.classList.add("js");
  function all(selector, within) {
    return Array.prototype.slice.call((within || document).querySelectorAll(selector));
  }
  function byId(id) { return document.getElementById(id); }

  // In a frame without an address of its own a link within the page would lead out of it.
  document.addEventListener("click", function (event) {
    var link = event.target.closest ? event.target.closest('a[href^="#"]') : null;
    var target = link && byId(link.getAttribute("href").slice(1));
    if (!target) { return; }
    event.preventDefault();
    target.classList.remove("gone");
    var folded = target.closest("details"), around = target.closest("article");
    if (folded) { folded.open = true; }
    if (around) { around.classList.remove("gone"); }
    target.scrollIntoView();
    target.setAttribute("tabindex", "-1");
    target.focus({ preventScroll: true });
  });

  var find = byId("find"), order = byId("order"), shown = byId("shown"), expand = byId("expand");
  var rows = all("tr.c"), articles = all("article.c");

  function search() {
    var wanted = find.value.trim().toLowerCase();
    var count = 0, total = 0;
    [rows, articles].forEach(function (items) {
      items.forEach(function (item) {
        var text = item.getAttribute("data-n") || item.getAttribute("data-text");
        var hit = (text || (item.cells ? item.cells[0].textContent : "")).toLowerCase();
        item.classList.toggle("gone", wanted !== "" && hit.indexOf(wanted) < 0);
      });
    });
    (rows.length ? rows : articles).forEach(function (item) {
      // Boxes need one layout; the computed style of what is not drawn is found anew for each element.
      var panel = item.closest(".panel");
      if (panel && !panel.getClientRects().length) { return; }
      total += 1;
      if (item.getClientRects().length) { count += 1; }
    });
    shown.textContent = count === total ? "" : count + " of " + total;
  }

  // A field of a struct goes where its column goes, in the order of the source.
  function sort() {
    var by = order.value;
    [rows, articles].forEach(function (items) {
      if (!items.length) { return; }
      var place = items[0].parentNode, keys = {};
      var after = items[items.length - 1].nextSibling;
      items.forEach(function (item) {
        var mine = item.getAttribute("data-" + by);
        if (by !== "n") { mine = Number(mine) * (by === "m" || by === "d" ? -1 : 1); }
        var column = item.getAttribute("data-r");
        var isColumn = column === item.getAttribute("data-i");
        if (!(column in keys) || (by === "w" ? mine < keys[column] : isColumn)) { keys[column] = mine; }
      });
      items.sort(function (a, b) {
        var left = keys[a.getAttribute("data-r")], right = keys[b.getAttribute("data-r")];
        if (left !== right) { return left < right ? -1 : 1; }
        return a.getAttribute("data-i") - b.getAttribute("data-i");
      });
      items.forEach(function (item) { place.insertBefore(item, after); });
    });
  }

  if (find) {
    find.addEventListener("input", search);
    all(".controls input[type=radio]").forEach(function (radio) {
      radio.addEventListener("change", search);
    });
    find.form.addEventListener("submit", function (event) { event.preventDefault(); });
  }
  if (order) { order.addEventListener("change", sort); }

  function open(isOpen) {
    all("details").forEach(function (details) { details.open = isOpen; });
  }
  // For browsers whose style rules cannot open what is folded on paper.
  var folded = [];
  window.addEventListener("beforeprint", function () {
    folded = all("details:not([open])");
    open(true);
  });
  window.addEventListener("afterprint", function () {
    folded.forEach(function (details) { details.open = false; });
  });

  if (expand) {
    expand.addEventListener("click", function () {
      var pressed = expand.getAttribute("aria-pressed") !== "true";
      expand.setAttribute("aria-pressed", String(pressed));
      expand.textContent = pressed ? "Fold all" : "Expand all";
      open(pressed);
    });
  }

  all("button.copy").forEach(function (button) {
    button.addEventListener("click", function () {
      var text = byId(button.getAttribute("data-from"));
      function done() {
        button.textContent = "Copied";
        window.setTimeout(function () { button.textContent = "Copy"; }, 1500);
      }
      function select() {
        var range = document.createRange();
        range.selectNodeContents(text);
        var selection = window.getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
        if (document.execCommand("copy")) { done(); } else { button.textContent = "Selected"; }
      }
      if (navigator.clipboard && window.isSecureContext) {
        navigator.clipboard.writeText(text.textContent).then(done, select);
      } else {
        select();
      }
    });
  });
})();
