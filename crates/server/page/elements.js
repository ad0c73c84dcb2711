// Builds elements, and brings what is shown up to date without losing focus or scroll positions.

const SVG = "http://www.w3.org/2000/svg";
const DRAWN = new Set(["svg", "path", "line", "polygon", "title"]);
const HANDLERS = ["onclick", "oninput", "onchange", "onsubmit", "onkeydown"];

// Letters that are not seen, or that turn the direction of the text around them, are shown as escapes.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;
const visible = (text) => String(text).replace(UNSEEN, (letter) => "\\u{" + letter.charCodeAt(0).toString(16) + "}");

// An element. Text is always text: nothing that a server sends becomes markup.
export function h(tag, attributes = {}, ...children) {
  const element = DRAWN.has(tag) ? document.createElementNS(SVG, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (HANDLERS.includes(name)) element[name] = value;
    else if (name === "value") { element.value = value; element.setAttribute("value", value); }
    else if (name === "width-percent") element.style.width = value + "%";
    else element.setAttribute(name, value === true ? "" : value);
  }
  const shown = children.flat(Infinity).filter((one) => one !== null && one !== undefined && one !== false);
  element.append(...shown.map((one) => one instanceof Node ? one : visible(one)));
  return element;
}

// Makes the children of `parent` those of `wanted`, keeping the elements that are alike.
export function update(parent, wanted) {
  const old = [...parent.childNodes];
  const next = [...wanted];
  next.forEach((one, at) => {
    const before = old[at];
    if (before === undefined) parent.append(one);
    else if (alike(before, one)) morph(before, one);
    else before.replaceWith(one);
  });
  old.slice(next.length).forEach((one) => one.remove());
}

function alike(before, after) {
  return before.nodeType === after.nodeType && before.nodeName === after.nodeName && before.id === after.id;
}

function morph(before, after) {
  if (before.nodeType !== Node.ELEMENT_NODE) {
    if (before.data !== after.data) before.data = after.data;
    return;
  }
  for (const { name } of [...before.attributes]) if (!after.hasAttribute(name) && name !== "open") before.removeAttribute(name);
  for (const { name, value } of after.attributes) if (before.getAttribute(name) !== value) before.setAttribute(name, value);
  for (const name of HANDLERS) before[name] = after[name];
  const typing = before === document.activeElement;
  if ("value" in after && after.tagName !== "LI" && !typing && before.value !== after.value) before.value = after.value;
  update(before, after.childNodes);
}
