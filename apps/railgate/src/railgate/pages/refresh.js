// Every three seconds the list is fetched anew and put in place of the old one.
const list = () => document.getElementById("list");
setInterval(async () => {
  if (document.hidden) return;
  const answer = await fetch(location.href).catch(() => null);
  if (!answer || !answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const found = fresh.getElementById("list");
  if (found && found.innerHTML !== list().innerHTML) list().replaceWith(found);
}, 3000);
