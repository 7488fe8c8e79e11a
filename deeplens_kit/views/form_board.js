const MOST_LETTERS = 10000

// The named fields of a form, each with all of its values, as a form sends them.
function fieldsOf(form) {
  const fields = {}
  if (!form) return fields
  for (const [name, value] of new FormData(form).entries()) {
    if (typeof value === "string") (fields[name] ||= []).push(value.slice(0, MOST_LETTERS))
  }
  return fields
}

export function render({ model }) {
  const board = document.createElement("div")
  board.className = "board"
  const show = () => {
    // Which button or field has the focus is remembered by what it says, so that who uses the keyboard stays there.
    const active = board.getRootNode().activeElement
    const held = active && board.contains(active) ? { act: active.dataset.act, value: active.dataset.value, name: active.name } : null
    board.innerHTML = model.html
    // A path that is passed on to somebody else needs the address by which this page was reached.
    for (const path of board.querySelectorAll("[data-here]")) path.textContent = window.location.origin + path.textContent
    const target = board.querySelector("[data-focus]")
    if (target) {
      target.focus({ preventScroll: true })
      const { top } = target.getBoundingClientRect()
      if (top < 0 || top > window.innerHeight * 0.8) target.scrollIntoView({ block: "start" })
    } else if (held) {
      const same = [...board.querySelectorAll("[data-act], [name]")].find((item) =>
        held.name ? item.name === held.name : item.dataset.act === held.act && item.dataset.value === held.value)
      if (same) same.focus({ preventScroll: true })
    }
  }
  const rest = () => {
    board.classList.toggle("busy", model.busy)
    board.setAttribute("aria-busy", String(model.busy))
  }
  const send = (act, value, form) => {
    if (model.busy) return
    model.send_msg({ act, value: value || "", fields: fieldsOf(form) })
  }
  const copy = async (pressed) => {
    const source = board.querySelector(`#${CSS.escape(pressed.dataset.copy)}`)
    try {
      await navigator.clipboard.writeText(source.textContent)
      pressed.textContent = "Copied"
    } catch {
      // Without HTTPS a browser copies nothing by itself: what is marked is copied by Ctrl+C.
      window.getSelection().selectAllChildren(source)
      pressed.textContent = "Marked: press Ctrl+C"
    }
  }
  board.addEventListener("click", (event) => {
    const copied = event.target.closest("[data-copy]")
    if (copied) { copy(copied); return }
    const pressed = event.target.closest("[data-act]")
    if (!pressed || pressed.disabled || pressed.tagName === "FORM") return
    if (pressed.type === "submit") return
    event.preventDefault()
    send(pressed.dataset.act, pressed.dataset.value, pressed.closest("form"))
  })
  board.addEventListener("submit", (event) => {
    event.preventDefault()
    const by = event.submitter && event.submitter.dataset.act ? event.submitter : event.target
    send(by.dataset.act, by.dataset.value, event.target)
  })
  board.addEventListener("change", (event) => {
    const changed = event.target.closest("[data-change]")
    if (changed) send(changed.dataset.change, changed.value, changed.form)
  })
  model.on("html", show)
  model.on("busy", rest)
  show()
  rest()
  return board
}
