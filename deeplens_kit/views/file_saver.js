export function render({ model }) {
  const place = document.createElement("span")
  place.hidden = true
  model.on("number", () => {
    const address = URL.createObjectURL(new Blob([model.content]))
    const link = document.createElement("a")
    link.href = address
    link.download = model.name_of_file
    link.click()
    URL.revokeObjectURL(address)
  })
  return place
}
