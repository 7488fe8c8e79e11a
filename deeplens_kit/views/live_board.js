// A board that is drawn anew without losing the place of who works on it: focus, folds and scrolled lists stay.
const KEYS = { ArrowRight: 1, ArrowLeft: -1 }

export function render({ model }) {
  const tell = tellingOnceHeard(model)
  const board = document.createElement("div")
  board.className = "board"
  let anchor = -1

  const cards = () => [...board.querySelectorAll("[data-card]")]
  const focused = () => board.getRootNode().activeElement
  const current = () => { const at = focused(); return at && at.closest ? at.closest("[data-card]") : null }
  const rove = (card) => {
    for (const one of cards()) one.tabIndex = one === card ? 0 : -1
  }
  const walk = (card) => {
    rove(card)
    card.focus({ preventScroll: true })
    card.scrollIntoView({ block: "nearest" })
  }

  const show = () => {
    const had = focused()
    const kept = had && board.contains(had) ? had.id : ""
    const open = new Set([...board.querySelectorAll("details[open][id]")].map((one) => one.id))
    const scrolled = [...board.querySelectorAll("[data-scroll]")].map((one) => [one.id, one.scrollTop])
    board.innerHTML = model.html
    for (const one of board.querySelectorAll("details[id]")) if (open.has(one.id)) one.open = true
    for (const [id, top] of scrolled) { const one = board.querySelector(`#${CSS.escape(id)}`); if (one) one.scrollTop = top }
    const all = cards()
    if (all.length) rove(all.find((one) => one.id === kept) || all[0])
    const target = board.querySelector("[data-focus]") || (kept && board.querySelector(`#${CSS.escape(kept)}`))
    if (!target) return
    target.focus({ preventScroll: true })
    if (target.id === kept) return
    const { top } = target.getBoundingClientRect()
    if (top < 0 || top > window.innerHeight * 0.8) target.scrollIntoView({ block: "start" })
  }
  const rest = () => {
    board.classList.toggle("busy", model.busy)
    board.setAttribute("aria-busy", String(model.busy))
  }
  const say = (element, more) =>
    tell({ act: element.dataset.act, value: element.dataset.value || "", ...more })

  board.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-act]")
    if (!pressed || model.busy || pressed.disabled || pressed.matches("input, select, form")) return
    event.preventDefault()
    say(pressed, { shift: event.shiftKey })
  })
  board.addEventListener("change", (event) => {
    const changed = event.target
    if (!changed.dataset.act || model.busy) return
    let more = { text: String(changed.value), on: Boolean(changed.checked) }
    if (changed.type === "checkbox" && changed.closest("[data-card]")) {
      const all = cards()
      const at = all.indexOf(changed.closest("[data-card]"))
      if (pressedShift && anchor >= 0) {
        const part = all.slice(Math.min(anchor, at), Math.max(anchor, at) + 1)
        for (const one of part) { const box = one.querySelector("[type=checkbox]"); if (box) box.checked = changed.checked }
        more = { ...more, all: part.map((one) => one.dataset.card) }
      }
      anchor = at
    }
    say(changed, more)
  })
  let pressedShift = false
  board.addEventListener("click", (event) => { pressedShift = event.shiftKey }, true)
  board.addEventListener("submit", (event) => {
    const form = event.target
    if (!form.dataset.act) return
    event.preventDefault()
    say(form, { fields: Object.fromEntries(new FormData(form)) })
  })
  board.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    if (event.target.closest("input:not([type=checkbox]), select, textarea")) {
      // A notebook would take what is typed for commands on its cells.
      event.stopPropagation()
      return
    }
    const card = current()
    if (card && event.target === card) {
      const all = cards()
      const at = all.indexOf(card)
      const wide = Math.max(1, all.filter((one) => one.offsetTop === all[0].offsetTop).length)
      let next = null
      if (event.key in KEYS) next = all[at + KEYS[event.key]]
      else if (event.key === "ArrowDown") next = all[Math.min(at + wide, all.length - 1)]
      else if (event.key === "ArrowUp") next = all[at - wide] || null
      else if (event.key === "Home") next = all[0]
      else if (event.key === "End") next = all[all.length - 1]
      if (next) {
        event.preventDefault()
        event.stopPropagation()
        if (next !== card) walk(next)
        return
      }
      if (event.key === " ") {
        const box = card.querySelector("[type=checkbox]")
        if (box) { event.preventDefault(); event.stopPropagation(); box.click() }
        return
      }
    }
    const within = card || board
    const named = within.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)
    if (!named || named.disabled || model.busy) return
    event.preventDefault()
    // A notebook has keys of its own for the same letters.
    event.stopPropagation()
    say(named, {})
  })
  model.on("html", show)
  model.on("busy", rest)
  show()
  rest()
  return board
}
