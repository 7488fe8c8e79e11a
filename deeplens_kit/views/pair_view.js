const WAYS = [
  ["side", "Side by side"], ["blink", "Blink"], ["difference", "Difference"], ["overlay", "Overlay"],
]
const TURN_MS = 800
const SVG = "http://www.w3.org/2000/svg"

const made = (name, kind, text) => {
  const element = document.createElement(name)
  if (kind) element.className = kind
  if (text !== undefined) element.textContent = text
  return element
}

// The corners of the common view over a picture; the dot marks the same corner in both, so that a turn shows.
const region = (corners) => {
  const drawing = document.createElementNS(SVG, "svg")
  drawing.setAttribute("class", "common")
  drawing.setAttribute("viewBox", "0 0 1 1")
  drawing.setAttribute("preserveAspectRatio", "none")
  drawing.setAttribute("aria-hidden", "true")
  for (const kind of ["under", "over"]) {
    const outline = document.createElementNS(SVG, "polygon")
    outline.setAttribute("class", kind)
    outline.setAttribute("points", corners.map((corner) => corner.join(",")).join(" "))
    drawing.append(outline)
  }
  return drawing
}

const shot = (picture, layers, corners, side) => {
  const box = made("div", "pair-shot")
  box.style.setProperty("--shape", picture.shape)
  for (const [src, alt, kind] of layers) {
    const image = made("img", kind || "")
    image.src = src
    image.alt = alt
    image.draggable = false
    box.append(image)
  }
  if (side) box.append(made("span", "side", side))
  if (corners.length) {
    box.append(region(corners))
    const dot = made("i", "corner")
    dot.style.left = `${100 * corners[0][0]}%`
    dot.style.top = `${100 * corners[0][1]}%`
    box.append(dot)
  }
  return box
}

export function render({ model }) {
  tellingOnceHeard(model)
  const still = window.matchMedia("(prefers-reduced-motion: reduce)").matches
  const root = made("div", "pair-look")
  const empty = made("div", "message note")
  const bar = made("div", "ways")
  const stage = made("div", "stage")
  const tools = made("div", "tools")
  const said = made("p", "small quiet said")
  bar.setAttribute("role", "group")
  bar.setAttribute("aria-label", "How to look at the pair")
  said.setAttribute("role", "status")
  empty.setAttribute("role", "status")
  root.append(empty, bar, stage, tools, said)

  let timer = 0
  let seen = 0
  let running = !still
  let share = 0.5

  const buttons = WAYS.map(([way, name], at) => {
    const button = made("button", "way")
    button.type = "button"
    button.append(made("kbd", "", String(at + 1)), document.createTextNode(name))
    button.title = `${name} (key ${at + 1})`
    button.addEventListener("click", () => { model.mode = way })
    bar.append(button)
    return button
  })

  const names = () => model.pair.pictures.map((picture) => picture.name)

  const sides = () => {
    const both = made("div", "both")
    model.pair.pictures.forEach((picture, at) => {
      const figure = made("figure")
      const letter = "AB"[at]
      figure.append(shot(picture, [[picture.src, `${letter}: ${picture.name}`]], picture.corners, letter))
      figure.append(made("figcaption", "tiny", picture.name))
      both.append(figure)
    })
    return both
  }
  // What lies over the first picture; where the second cannot be laid on it, it is shown in the same frame.
  const over = () => model.pair.laid || model.pair.pictures[1].src
  const stop = () => { clearInterval(timer); timer = 0 }
  const turn = () => {
    seen = 1 - seen
    const images = stage.querySelectorAll(".pair-shot img")
    images.forEach((image, at) => { image.classList.toggle("away", at !== seen) })
    const mark = stage.querySelector(".side")
    if (mark) mark.textContent = "AB"[seen]
  }
  const blink = () => {
    const [first, second] = names()
    const layers = [[model.pair.pictures[0].src, `A: ${first}`], [over(), `B: ${second}`, "away"]]
    seen = 0
    const pause = made("button", "", running ? "Pause" : "Go on")
    pause.type = "button"
    const once = made("button", "", "Turn over (space)")
    once.type = "button"
    pause.addEventListener("click", () => {
      running = !running
      pause.textContent = running ? "Pause" : "Go on"
      stop()
      if (running) timer = setInterval(turn, TURN_MS)
    })
    once.addEventListener("click", turn)
    tools.append(pause, once)
    if (running) timer = setInterval(turn, TURN_MS)
    return shot(model.pair.pictures[0], layers, model.pair.pictures[0].corners, "A")
  }
  const overlay = () => {
    const [first, second] = names()
    const box = shot(
      model.pair.pictures[0], [[model.pair.pictures[0].src, `A: ${first}`], [over(), `B: ${second}, laid on A`, "upper"]],
      model.pair.pictures[0].corners, "",
    )
    const slider = made("input")
    slider.type = "range"
    slider.min = "0"
    slider.max = "100"
    slider.value = String(Math.round(share * 100))
    const label = made("label", "small", "How much of B is seen")
    label.append(slider)
    const show = () => {
      share = Number(slider.value) / 100
      box.querySelector(".upper").style.opacity = share
    }
    slider.addEventListener("input", show)
    tools.append(label)
    show()
    return box
  }
  const difference = () => {
    const [first, second] = names()
    const alt = `Where ${first} and ${second} differ`
    tools.append(made("span", "small quiet", "Orange where they differ, four times as strong as it is; dark outside the common view."))
    return shot(model.pair.pictures[0], [[model.pair.difference, alt]], model.pair.pictures[0].corners, "")
  }
  const none = (text) => made("div", "message note", text)

  const draw = () => {
    stop()
    const pair = model.pair
    const there = Boolean(pair && pair.pictures)
    empty.hidden = there
    empty.textContent = there ? "" : model.said
    for (const part of [bar, stage, tools, said]) part.hidden = !there
    stage.replaceChildren()
    tools.replaceChildren()
    if (!there) return
    const way = model.mode
    buttons.forEach((button, at) => { button.setAttribute("aria-pressed", String(WAYS[at][0] === way)) })
    const lost = pair.pictures.some((picture) => picture.lost)
    if (way === "side") stage.append(sides())
    else if (lost) stage.append(none("One of the pictures cannot be shown, so there is nothing to hold the other against."))
    else if (way === "difference" && !pair.difference) {
      stage.append(none("The two cannot be laid over each other, so there is no difference to draw. Look at them side by side."))
    } else stage.append(way === "blink" ? blink() : way === "overlay" ? overlay() : difference())
    said.replaceChildren()
    const sentences = [...pair.notes, ...(pair.unlike ? [pair.unlike] : [])]
    said.textContent = sentences.join(" ")
    said.hidden = !sentences.length
  }

  root.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !model.pair.pictures) return
    const at = "1234".indexOf(event.key)
    if (event.key.length === 1 && at >= 0) model.mode = WAYS[at][0]
    else if (event.key === " " && model.mode === "blink" && !event.target.closest("button, input")) turn()
    else return
    // JupyterLab has meanings of its own for these keys.
    event.preventDefault()
    event.stopPropagation()
  })
  root.tabIndex = 0
  root.setAttribute("role", "group")
  root.setAttribute("aria-label", "The pair, looked at closely; keys 1 to 4 switch between the ways to look")
  model.on("pair", draw)
  model.on("mode", draw)
  model.on("said", draw)
  model.on("remove", stop)
  draw()
  return root
}
