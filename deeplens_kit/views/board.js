export function render({ model }) {
  const tell = tellingOnceHeard(model)
  const board = document.createElement("div")
  board.className = "board"
  const show = () => {
    board.innerHTML = model.html
    const target = board.querySelector("[data-focus]")
    if (target) {
      target.focus({ preventScroll: true })
      const { top } = target.getBoundingClientRect()
      if (top < 0 || top > window.innerHeight * 0.8) target.scrollIntoView({ block: "start" })
    }
  }
  const rest = () => {
    board.classList.toggle("busy", model.busy)
    board.setAttribute("aria-busy", String(model.busy))
  }
  board.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-act]")
    if (!pressed || model.busy) return
    event.preventDefault()
    tell({ act: pressed.dataset.act, value: pressed.dataset.value || "" })
  })
  board.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const named = board.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`)
    if (!named || named.disabled) return
    event.preventDefault()
    // A notebook has keys of its own for the same letters.
    event.stopPropagation()
    named.click()
  })
  model.on("html", show)
  model.on("busy", rest)
  show()
  rest()
  return board
}
