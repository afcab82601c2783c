// Puts the texts of a page into it, in the language of the reader. The JSON in #texts has all languages.
//   speech.text("report.faces", { n: 3 })   a text; {n} in it becomes the value, numbers in the form of the language
//   speech.word("reason", "blurred")        a text by section and key; the key with spaces if there is none
//   speech.number(1234.5, 1)                a number with so many decimals at most
//   speech.apply(element)                   fills in elements with data-text="section.key", also data-title, data-label
//                                           (aria-label) and data-hint (placeholder)
//   speech.choose("zh")                     changes the language and tells the page ("speech" event on document)
//   speech.menu(select)                     makes a select element the menu of languages
const speech = (() => {
  const { chosen, texts } = JSON.parse(document.getElementById("texts").textContent);
  const known = Object.keys(texts);
  const first = (navigator.languages || [navigator.language || "en"])
    .map(name => name.toLowerCase().split("-")[0]).find(name => known.includes(name));
  let code = chosen || first || known[0];
  const lookup = (section, key) => (texts[code][section] || {})[key];
  const number = (value, decimals = 0) => value.toLocaleString(code, { maximumFractionDigits: decimals });
  const word = (section, key) => lookup(section, key) ?? String(key).replaceAll("_", " ");
  const text = (name, values = {}) => {
    const [section, ...rest] = name.split(".");
    return word(section, rest.join(".")).replace(/\{(\w+)\}/g, (whole, key) =>
      key in values ? (typeof values[key] === "number" ? number(values[key], 2) : String(values[key])) : whole);
  };
  const places = { text: "textContent", title: "title", hint: "placeholder" };
  const apply = (root = document) => {
    for (const [name, property] of Object.entries(places))
      for (const one of root.querySelectorAll(`[data-${name}]`)) one[property] = text(one.dataset[name]);
    for (const one of root.querySelectorAll("[data-label]")) one.setAttribute("aria-label", text(one.dataset.label));
  };
  const choose = wanted => {
    code = known.includes(wanted) ? wanted : code;
    document.documentElement.lang = code;
    apply();
    document.dispatchEvent(new Event("speech"));
  };
  const menu = select => {
    select.replaceChildren(...known.map(one => new Option(texts[one].language.name, one, false, one === code)));
    select.addEventListener("change", () => choose(select.value));
  };
  document.documentElement.lang = code;
  return { text, word, number, apply, choose, menu, get code() { return code; } };
})();
