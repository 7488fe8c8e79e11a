// HTML with buttons and keys, whose pictures arrive when they are needed and stay for as long as the page does.
const NOTHING = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'/%3E"

export function render({ model }) {
  const board = document.createElement("div")
  board.className = "board"
  const whole = document.createElement("div")
  // Panel draws a viewer where it is put first; from there it goes to its place and back.
  const store = document.createElement("div")
  store.hidden = true
  const closer = model.get_child("closer")
  if (closer) store.append(closer)
  whole.append(board, store)
  const tell = tellingOnceHeard(model)
  const known = new Map(Object.entries(model.pictures))
  const asked = new Set()

  const fill = (root) => {
    const wanted = []
    for (const image of root.querySelectorAll("img[src^='picture:']")) {
      const key = image.getAttribute("src").slice("picture:".length)
      image.dataset.picture = key
      image.src = known.get(key) || NOTHING
      if (!known.has(key) && !asked.has(key)) { asked.add(key); wanted.push(key) }
    }
    if (wanted.length) tell({ want: wanted })
  }
  const active = () => {
    // What has the focus within a viewer of its own keeps it.
    const at = board.getRootNode().activeElement
    return at && board.contains(at) ? at : null
  }
  const show = () => {
    const had = active()
    const scrolled = [...board.querySelectorAll("[data-scroll]")].map((part) => [part.id, part.scrollTop])
    const opened = [...board.querySelectorAll("details[open]")].map((fold) => fold.id)
    // A template is inert: no address in it is asked for before it is filled.
    const parsed = document.createElement("template")
    parsed.innerHTML = model.html
    fill(parsed.content)
    if (closer) store.append(closer)
    board.replaceChildren(parsed.content)
    for (const id of opened) board.querySelector(`#${CSS.escape(id)}`)?.setAttribute("open", "")
    const place = board.querySelector("[data-closer]")
    if (place && closer) place.append(closer)
    for (const [id, top] of scrolled) { const part = board.querySelector(`#${id}`); if (part) part.scrollTop = top }
    const current = board.querySelector("[data-scroll] [aria-current='true']")
    if (current) {
      const list = current.closest("[data-scroll]")
      const [inner, outer] = [current.getBoundingClientRect(), list.getBoundingClientRect()]
      if (inner.top < outer.top) list.scrollTop += inner.top - outer.top
      if (inner.bottom > outer.bottom) list.scrollTop += inner.bottom - outer.bottom
    }
    if (!had) {
      // Not before it is on the page.
      if (model.eager) requestAnimationFrame(() => {
        if (!board.contains(board.getRootNode().activeElement)) board.querySelector("[data-home]")?.focus({ preventScroll: true })
      })
      return
    }
    const same = had.id && board.querySelector(`#${CSS.escape(had.id)}:not(:disabled)`)
    const home = same || board.querySelector("[data-home]")
    if (home) home.focus({ preventScroll: true })
  }
  const rest = () => {
    board.classList.toggle("busy", model.busy)
    board.setAttribute("aria-busy", String(model.busy))
  }
  board.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-act]")
    if (!pressed || pressed.disabled || model.busy) return
    event.preventDefault()
    tell({ act: pressed.dataset.act, value: pressed.dataset.value || "" })
  })
  board.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return
    // JupyterLab would take a letter for a command on the cells of the notebook.
    if (event.key.length === 1) event.stopPropagation()
    const key = event.key.toLowerCase()
    if ("1234".includes(key) && board.querySelector("[data-closer]")) {
      event.preventDefault()
      tell({ act: "way", value: key })
      return
    }
    const meant = [...board.querySelectorAll("[aria-keyshortcuts]")]
      .find((button) => !button.disabled && button.getAttribute("aria-keyshortcuts").toLowerCase() === key)
    if (!meant) return
    event.preventDefault()
    event.stopPropagation()
    // A key that is held down moves on, and says nothing twice.
    if (!event.repeat || meant.dataset.act === "move") meant.click()
  })
  model.on("msg:custom", (event) => {
    const { pictures = {} } = event.data || event
    for (const [key, source] of Object.entries(pictures)) {
      known.set(key, source)
      for (const image of board.querySelectorAll(`img[data-picture="${key}"]`)) image.src = source
    }
  })
  model.on("html", show)
  model.on("busy", rest)
  show()
  rest()
  return whole
}
