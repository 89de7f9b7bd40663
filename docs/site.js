// Code and tables that are wider than the page can be scrolled with the keyboard, too.
(function () {
  "use strict";
  function reach() {
    document.querySelectorAll("pre > code, .md-typeset__scrollwrap").forEach(function (block) {
      if (block.scrollWidth > block.clientWidth) block.tabIndex = 0;
      else block.removeAttribute("tabindex");
    });
  }
  addEventListener("load", reach);
  addEventListener("resize", reach);
})();
