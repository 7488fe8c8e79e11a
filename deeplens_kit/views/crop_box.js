// A part of a picture, drawn with the pointer or moved by keys: arrows move it, with Shift they change its size.
const STEP = 0.05

export function render({ model }) {
  const box = document.createElement("div")
  box.className = "crop"
  box.innerHTML = `<div class="crop-shot"><img alt="" draggable="false"><div class="crop-part" hidden></div></div>
    <div class="crop-says"><p class="tiny quiet" role="status"></p>
    <button type="button" class="second" data-draw></button></div>`
  const shot = box.querySelector(".crop-shot")
  const image = box.querySelector("img")
  const part = box.querySelector(".crop-part")
  const says = box.querySelector("p")
  const button = box.querySelector("[data-draw]")
  let crop = null
  let from = null

  const show = () => {
    part.hidden = !crop
    button.textContent = crop ? "Search for the whole picture" : "Search for a part"
    says.textContent = crop
      ? "This part is searched for. Arrow keys move it, with Shift they change its size."
      : "Drag over the picture to search for a part of it."
    if (!crop) return
    const [left, top, right, bottom] = crop
    part.style.left = `${100 * left}%`
    part.style.top = `${100 * top}%`
    part.style.width = `${100 * (right - left)}%`
    part.style.height = `${100 * (bottom - top)}%`
  }
  const send = () => model.send_msg({ crop })
  const draw = () => {
    image.src = model.src
    image.alt = model.alt
    shot.style.setProperty("--shape", model.shape || 1)
    crop = model.crop.length ? [...model.crop] : null
    show()
  }
  const at = (event) => {
    const { left, top, width, height } = shot.getBoundingClientRect()
    const within = (value) => Math.min(1, Math.max(0, value))
    return [within((event.clientX - left) / width), within((event.clientY - top) / height)]
  }
  shot.tabIndex = 0
  shot.setAttribute("role", "group")
  shot.addEventListener("pointerdown", (event) => {
    if (model.busy || event.button) return
    event.preventDefault()
    shot.focus({ preventScroll: true })
    shot.setPointerCapture(event.pointerId)
    from = at(event)
  })
  shot.addEventListener("pointermove", (event) => {
    if (!from) return
    const to = at(event)
    crop = [Math.min(from[0], to[0]), Math.min(from[1], to[1]), Math.max(from[0], to[0]), Math.max(from[1], to[1])]
    show()
  })
  const end = () => {
    if (!from) return
    from = null
    // A click draws nothing.
    if (!crop || crop[2] - crop[0] < 0.03 || crop[3] - crop[1] < 0.03) { crop = model.crop.length ? [...model.crop] : null; show(); return }
    send()
  }
  shot.addEventListener("pointerup", end)
  shot.addEventListener("pointercancel", () => { from = null; draw() })
  shot.addEventListener("keydown", (event) => {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (!moves || !crop) return
    event.preventDefault()
    let [left, top, right, bottom] = crop
    const [x, y] = moves.map((move) => move * STEP)
    if (event.shiftKey) {
      right = Math.min(1, Math.max(left + STEP, right + x))
      bottom = Math.min(1, Math.max(top + STEP, bottom + y))
    } else {
      const dx = Math.min(1 - right, Math.max(-left, x))
      const dy = Math.min(1 - bottom, Math.max(-top, y))
      ;[left, right, top, bottom] = [left + dx, right + dx, top + dy, bottom + dy]
    }
    crop = [left, top, right, bottom]
    show()
    clearTimeout(waiting)
    waiting = setTimeout(send, 400)
  })
  let waiting = 0
  button.addEventListener("click", () => {
    if (model.busy) return
    crop = crop ? null : [0.25, 0.25, 0.75, 0.75]
    show()
    send()
    if (crop) shot.focus({ preventScroll: true })
  })
  model.on("crop", draw)
  model.on("src", draw)
  model.on("shape", draw)
  draw()
  return box
}
