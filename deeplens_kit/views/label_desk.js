// What is asked about a pair, the pair itself, and the pairs beside it; keys count while the focus is within.

export function render({ model }) {
  const tell = tellingOnceHeard(model)
  const desk = document.createElement("section")
  desk.className = "desk"
  desk.tabIndex = 0
  desk.setAttribute("aria-label", "Pairs to be labelled")
  const [above, slot, below] = ["above", "closer", "below"].map((name) => {
    const part = document.createElement("div")
    part.className = name
    desk.append(part)
    return part
  })
  const closer = model.get_child("closer")
  if (closer) slot.append(closer)

  const fill = (part, html) => {
    const active = desk.getRootNode().activeElement
    const had = active && part.contains(active) ? active : null
    part.innerHTML = html
    if (!had) return
    const same = had.id ? part.querySelector(`#${CSS.escape(had.id)}:not(:disabled)`) : null
    const target = same || desk
    target.focus({ preventScroll: true })
  }
  const show = () => { fill(above, model.above); fill(below, model.below) }
  desk.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-act]")
    if (!pressed || pressed.disabled) return
    event.preventDefault()
    tell({ act: pressed.dataset.act, value: pressed.dataset.value || "" })
  })
  desk.addEventListener("keydown", (event) => {
    const target = event.composedPath()[0]
    if (event.ctrlKey || event.metaKey || event.altKey || target.closest("input, textarea, select")) return
    // JupyterLab would take a letter for a command on the cells of the notebook.
    if (event.key.length === 1) event.stopPropagation()
    const key = event.key.toLowerCase()
    const meant = [...desk.querySelectorAll("[aria-keyshortcuts]")]
      .find((button) => !button.disabled && button.getAttribute("aria-keyshortcuts").toLowerCase() === key)
    if (meant) {
      // A key that is held down moves on, and says nothing twice.
      if (!event.repeat || meant.dataset.act === "move") meant.click()
    } else if ("1234".includes(key)) {
      tell({ act: "way", value: key })
    } else return
    event.preventDefault()
    event.stopPropagation()
  })
  model.on("above", show)
  model.on("below", show)
  show()
  return desk
}
