export function render({ model }) {
  const place = document.createElement("span")
  place.hidden = true
  const here = () => window.location.search.replace(/^\?/, "")
  // What is asked of the server is what stands in the address already.
  model.on("turn", () => {
    if (model.text === here()) return
    const url = window.location.pathname + (model.text ? `?${model.text}` : "")
    if (model.is_new) window.history.pushState({}, "", url)
    else window.history.replaceState({}, "", url)
  })
  const back = () => model.send_msg({ text: here() })
  window.addEventListener("popstate", back)
  model.on("remove", () => window.removeEventListener("popstate", back))
  return place
}
