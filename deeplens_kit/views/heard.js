// Says that a component is drawn, until the kernel or the server has heard it; what is told before that waits until then.
const CALL_AGAIN_MS = 250
const MOST_CALLS = 240

const tellingOnceHeard = (model) => {
  let heard = false
  let calls = 0
  let gone = false
  const waiting = []
  const call = () => {
    if (heard || gone || calls++ > MOST_CALLS) return
    // BokehJS takes what the server sent for new until it sends something itself, and would send all of it back whole
    // with the first message that names it. A patch of nothing, which goes nowhere, ends that.
    model.document?.create_json_patch?.([])
    model.send_msg({ act: "ready" })
    setTimeout(call, CALL_AGAIN_MS)
  }
  model.on("msg:custom", (event) => {
    if (heard || !(event.data || event).ready) return
    heard = true
    for (const message of waiting.splice(0)) model.send_msg(message)
  })
  model.on("remove", () => { gone = true })
  // Not before the component has its place in the page.
  setTimeout(call)
  return (message) => { heard ? model.send_msg(message) : waiting.push(message) }
}
