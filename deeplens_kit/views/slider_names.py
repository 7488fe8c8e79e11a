"""Names of sliders for those who do not see them.

Gives what a browser runs after sliders are drawn; must not change what they look like. Bokeh names a slider for those
who see it, beside the handle; this names the handle itself. To be looked at again with Bokeh 3.10, by June 2027.
"""

from __future__ import annotations

__all__ = ["NAME_SLIDERS", "naming_script"]

NAME_SLIDERS = """
const name = (root) => {
  for (const element of root.querySelectorAll("*")) {
    if (element.shadowRoot) name(element.shadowRoot)
    if (!element.matches(".noUi-handle")) continue
    const title = root.querySelector(".bk-slider-title").firstChild.textContent
    element.setAttribute("aria-label", title.replace(/:\\s*$/, ""))
  }
}
name(document)
"""
"""Names every slider of a page that stands."""

_MARK = "deeplens-slider-names"
# Sliders are drawn at about the time at which the script runs, before it or after it; then it has nothing to wait for.
_PATIENCE_MS = 20_000


def naming_script(count: int) -> str:
    """HTML that shows nothing and names the sliders beside it, in a notebook as on a page.

    Args:
        count: How many sliders there are beside it; they are waited for.
    """
    return f"""<span class="{_MARK}" data-sliders="{count}" hidden></span><script>
(() => {{
  const deep = (root, wanted) => [...root.querySelectorAll("*")].flatMap((element) => [
    ...(element.matches(wanted) ? [element] : []), ...(element.shadowRoot ? deep(element.shadowRoot, wanted) : []),
  ])
  const until = performance.now() + {_PATIENCE_MS}
  const named = (mark) => {{
    const handles = deep(mark.getRootNode().host.getRootNode(), ".noUi-handle")
    for (const handle of handles) {{
      const title = handle.getRootNode().querySelector(".bk-slider-title")?.firstChild
      if (title) handle.setAttribute("aria-label", title.textContent.replace(/:\\s*$/, ""))
    }}
    return handles.filter((handle) => handle.hasAttribute("aria-label")).length >= Number(mark.dataset.sliders)
  }}
  const wait = () => {{
    const marks = deep(document, ".{_MARK}")
    const done = marks.length > 0 && marks.map(named).every(Boolean)
    if (!done && performance.now() < until) requestAnimationFrame(wait)
  }}
  wait()
}})()
</script>"""
