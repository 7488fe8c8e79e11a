const ICON = `<svg viewBox="0 0 48 48" width="40" height="40" fill="none" stroke="currentColor" stroke-width="2"
  stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><rect x="6" y="10" width="36" height="28" rx="4"/>
  <circle cx="16" cy="19" r="3.2"/><path d="M7 34l11-10 8 7 6-6 10 9"/></svg>`

export function render({ model }) {
  const tell = tellingOnceHeard(model)
  const box = document.createElement("div")
  box.className = "drop-box"
  box.innerHTML = `<label class="drop"><input type="file" accept="image/*,.heic,.heif,.avif,.tif,.tiff,.bmp">
    ${ICON}<b>Drop a picture here</b><span class="quiet">or <u>choose a file</u>, or paste one</span>
    <span class="tiny quiet limit"></span></label><div class="arriving" role="status" hidden><progress max="1" value="0"></progress>
    <span class="tiny quiet"></span></div>`
  const input = box.querySelector("input")
  const drop = box.querySelector(".drop")
  const arriving = box.querySelector(".arriving")
  box.querySelector(".limit").textContent = `Up to ${model.limit_words}. ${model.kept_words}`
  let sending = null
  let number = 0

  const progress = (share, words) => {
    arriving.hidden = share === null
    arriving.querySelector("progress").value = share || 0
    arriving.querySelector("span").textContent = words || ""
  }
  const piece = async (at) => {
    const current = sending
    const data = await current.file.slice(at, at + model.piece_bytes).arrayBuffer()
    if (sending === current) tell({ kind: "piece", number: current.number, data })
  }
  const take = (file) => {
    if (!file) return
    const name = file.name || "pasted picture"
    number += 1
    sending = null
    progress(null)
    if (file.size > model.max_bytes || file.size === 0) {
      tell({ kind: "refused", name, size: file.size })
      return
    }
    sending = { file, number }
    progress(0, `Sending ${name}`)
    tell({ kind: "start", number, name, size: file.size })
  }
  model.on("msg:custom", (event) => {
    const said = event.data || event
    if (!sending || said.number !== sending.number) return
    if (said.next === undefined) { sending = null; progress(null); return }
    progress(said.next / sending.file.size, `Sending ${sending.file.name || "picture"}`)
    piece(said.next)
  })
  input.addEventListener("change", () => { take(input.files[0]); input.value = "" })
  const carries = (event) => event.dataTransfer && [...event.dataTransfer.types].includes("Files")
  const over = (event) => { if (carries(event)) { event.preventDefault(); drop.classList.add("over") } }
  const leave = () => drop.classList.remove("over")
  const dropped = (event) => {
    leave()
    if (!carries(event)) return
    event.preventDefault()
    take(event.dataTransfer.files[0])
  }
  const pasted = (event) => {
    const file = [...(event.clipboardData ? event.clipboardData.files : [])][0]
    if (file) { event.preventDefault(); take(file) }
  }
  document.addEventListener("dragover", over)
  document.addEventListener("dragleave", leave)
  document.addEventListener("drop", dropped)
  document.addEventListener("paste", pasted)
  const rest = () => {
    box.classList.toggle("busy", model.busy)
    drop.classList.toggle("compact", model.compact)
    drop.querySelector("b").textContent = model.compact ? "Drop another picture" : "Drop a picture here"
  }
  model.on("busy", rest)
  model.on("compact", rest)
  model.on("remove", () => {
    document.removeEventListener("dragover", over)
    document.removeEventListener("dragleave", leave)
    document.removeEventListener("drop", dropped)
    document.removeEventListener("paste", pasted)
  })
  rest()
  return box
}
