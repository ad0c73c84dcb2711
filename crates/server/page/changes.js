// Changes: a plan is made, shown, and carried out if the reader agrees. It is refused if anything has moved meanwhile.

import { post } from "/api.js";
import { h } from "/elements.js";
import { count } from "/figures.js";

const dialog = () => document.getElementById("dialog");

function show(...content) {
  const box = dialog();
  box.replaceChildren(...content.flat(Infinity).filter((one) => one));
  if (!box.open) box.showModal();
}

const close = () => dialog().close();

function failed(error) {
  const words = error.status === 401 ? error.message + " Enter it with the button Token." : error.message;
  show(h("h2", { id: "dialog-title" }, "Nothing was changed"), h("p", { class: "bad" }, words), h("button", { type: "button", onclick: close }, "Close"));
}

// Plans a change, shows what it would touch, and carries it out once it is confirmed. `done` is called afterwards.
export async function change(what, done) {
  let plan;
  try {
    plan = await post("/api/changes/plan", what);
  } catch (error) {
    return failed(error);
  }
  const act = async (event) => {
    event.target.disabled = true;
    try {
      const result = await post("/api/changes/act", { id: plan.id });
      show(h("h2", { id: "dialog-title" }, "Done"), h("p", {}, result.summary), h("button", { type: "button", onclick: close }, "Close"));
      done?.();
    } catch (error) {
      failed(error);
    }
  };
  const refused = plan.refusals.length > 0;
  show(
    h("h2", { id: "dialog-title" }, refused ? "Refused" : "Confirm"),
    h("p", {}, plan.summary),
    plan.touches.length > 0 ? h("ul", {}, plan.touches.map((one) => h("li", {}, one))) : null,
    plan.refusals.map((one) => h("p", { class: "bad" }, one)),
    h("div", { class: "row" },
      refused ? null : h("button", { type: "button", class: "danger", onclick: act }, "Do it (" + count(plan.count) + ")"),
      h("button", { type: "button", onclick: close }, refused ? "Close" : "Cancel")),
    refused ? null : h("p", { class: "soft" }, "The plan holds for five minutes. If anything has moved meanwhile, it is refused."));
}
