// Light or dark as the person chose, else as the system says; before anything is drawn, so that nothing flashes.
(() => {
  const root = document.documentElement
  const kept = "deeplens-theme"
  const chosen = () => { try { return localStorage.getItem(kept) } catch { return null } }
  const wear = (theme) => {
    if (theme === "light" || theme === "dark") root.dataset.theme = theme
    else delete root.dataset.theme
    for (const one of document.querySelectorAll("[name=theme]")) one.checked = one.value === (root.dataset.theme || "system")
    dispatchEvent(new Event("deeplens-theme"))
  }
  wear(chosen())
  addEventListener("storage", (event) => { if (event.key === kept) wear(event.newValue) })
  document.addEventListener("DOMContentLoaded", () => {
    wear(chosen())
    const nav = document.querySelector("#pages")
    const burger = document.querySelector(".burger")
    const menu = document.querySelector(".person")
    const unfold = (open) => {
      nav.classList.toggle("open", open)
      burger.setAttribute("aria-expanded", String(open))
    }
    burger.addEventListener("click", () => unfold(!nav.classList.contains("open")))
    document.addEventListener("change", (event) => {
      if (event.target.name !== "theme") return
      try {
        if (event.target.value === "system") localStorage.removeItem(kept)
        else localStorage.setItem(kept, event.target.value)
      } catch { /* A browser that keeps nothing: the choice holds until the page is left. */ }
      wear(event.target.value)
    })
    document.addEventListener("click", (event) => {
      if (!menu.contains(event.target)) menu.open = false
      if (!nav.contains(event.target) && !burger.contains(event.target)) unfold(false)
    })
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return
      if (menu.open) { menu.open = false; menu.querySelector("summary").focus() }
      if (nav.classList.contains("open")) { unfold(false); burger.focus() }
    })
    const leave = document.querySelector(".sign-out")
    if (leave) leave.addEventListener("submit", () => {
      const token = document.cookie.split("; ").find((one) => one.startsWith(`${leave.dataset.cookie}=`))
      leave.elements.csrf.value = token ? decodeURIComponent(token.slice(token.indexOf("=") + 1)) : ""
    })
    const narrow = document.querySelector(".narrow")
    if (narrow && matchMedia("(max-width: 860px)").matches) narrow.open = false
  // Once: the loader of Panel's modules says a second time that the document is there.
  }, { once: true })
})()
