// Tables that are wider than the screen can be moved by keyboard: the theme wraps them when a page is there.
new MutationObserver(() => {
  for (const each of document.querySelectorAll(".md-typeset__scrollwrap:not([tabindex])")) each.tabIndex = 0;
}).observe(document.documentElement, { childList: true, subtree: true });
