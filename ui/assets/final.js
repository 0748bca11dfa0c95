/* Finish: a dialog that says what the final of one or several clips will be, before it is made. Other scripts open it
   by studio.finish.open([{id, key}, ...], from), where `from` is the element that gets the focus back. */
(() => {
  "use strict";
  const studio = window.wanStudio;
  const { $, $$, part, text } = studio;
  const chosen = { resolution: "480p", speed: "quality" }; // while the page is open
  let asked = 0; // number of the last request: answers to earlier ones are ignored

  const choice = (name, label, options) => {
    const field = part("fieldset", "dialog-field"), row = part("div", "dialog-choice");
    field.dataset.field = name;
    field.append(part("legend", "", label), row);
    for (const [value, words] of options) {
      const option = part("label", ""), input = document.createElement("input");
      Object.assign(input, { type: "radio", name: `final-${name}`, value, checked: value === chosen[name] });
      option.append(input, part("span", "", words));
      row.append(option);
    }
    return field;
  };
  const table = (rows) => {
    const found = part("table", "final-rows"), head = found.createTHead().insertRow(), body = found.createTBody();
    for (const words of ["", text("final_before"), text("final_after")]) {
      const cell = part("th", "", words);
      cell.scope = "col";
      head.append(cell);
    }
    for (const [name, before, after] of rows) {
      const row = body.insertRow(), label = part("th", "", name);
      label.scope = "row";
      row.append(label);
      if (before) row.append(part("td", "", before));
      const last = part("td", before ? "new" : "new whole", after);
      if (!before) last.colSpan = 2;
      row.append(last);
    }
    return found;
  };
  const list = (kind, words) => {
    const found = part("ul", kind);
    for (const line of words) found.append(part("li", "", line));
    return found;
  };

  const show = (dialog, answer, jobs) => {
    const plan = answer.plans[`${chosen.resolution} ${chosen.speed}`];
    const facts = $(".final-plan", dialog.body), make = $(".make", dialog.foot);
    const there = plan.mark && $(`[data-draft="${CSS.escape(jobs[0].id)}"][data-final="${plan.mark}"]`);
    facts.replaceChildren();
    if (plan.rows.length) facts.append(table(plan.rows));
    if (plan.notes.length) facts.append(list("final-notes", plan.notes));
    if (plan.problems.length) facts.append(list("final-problems", plan.problems));
    if (there) {
      const line = part("p", "final-there", `${text("final_there")} `), link = part("button", "link", text("final_show"));
      link.type = "button";
      link.addEventListener("click", () => {
        studio.dialog.close(dialog.element);
        there.click();
      });
      line.append(link);
      facts.append(line);
    }
    make.disabled = !plan.possible;
    dialog.said("");
  };

  const fill = (dialog, answer, jobs) => {
    if (!answer.resolutions.some(([name]) => name === chosen.resolution)) chosen.resolution = answer.resolutions[0][0];
    // Does not begin with a speed that this clip cannot have in any size.
    const possible = () => answer.plans[`${chosen.resolution} ${chosen.speed}`]?.possible;
    const first = answer.speeds.map(([name]) => name).find((name) => answer.plans[`${chosen.resolution} ${name}`]?.possible);
    if (!possible() && first) chosen.speed = first;
    dialog.title.textContent = answer.heading;
    const form = [choice("resolution", text("final_size"), answer.resolutions), choice("speed", text("final_speed"), answer.speeds)];
    const facts = part("div", "final-plan");
    facts.setAttribute("aria-live", "polite");
    dialog.body.replaceChildren(...form, facts);
    const make = part("button", "btn make", answer.heading);
    Object.assign(make, { type: "button" });
    make.setAttribute("data-dialog-submit", "");
    make.addEventListener("click", () => {
      if (studio.pressedAgain("finish")) return;
      studio.dialog.close(dialog.element);
      studio.makeFinals({ jobs, ...chosen });
    });
    $(".make", dialog.foot)?.remove();
    dialog.foot.append(make);
    dialog.body.onchange = ({ target }) => {
      if (!target.checked) return;
      chosen[target.name.replace("final-", "")] = target.value;
      show(dialog, answer, jobs);
    };
    show(dialog, answer, jobs);
    make.focus({ preventScroll: true });
  };

  const open = async (jobs, from) => {
    const dialog = studio.dialog.make({ name: "final", heading: text("final_make") });
    const mine = (asked += 1);
    if (!$("[data-dialog-close]", dialog.foot)) {
      const cancel = part("button", "btn", text("withdraw"));
      cancel.type = "button";
      cancel.setAttribute("data-dialog-close", "");
      dialog.foot.append(cancel);
    }
    dialog.body.replaceChildren(part("p", "final-waits", text("final_waits")));
    dialog.body.onchange = null;
    $(".make", dialog.foot)?.remove();
    dialog.said("");
    studio.dialog.open(dialog.element, { from, focus: dialog.title });
    let answer;
    try {
      answer = await studio.finals(jobs);
    } catch {
      answer = undefined;
    }
    if (mine !== asked || !dialog.element.open) return;
    if (answer && !answer.gone) return fill(dialog, answer, jobs);
    dialog.body.replaceChildren();
    dialog.said(text(answer ? "final_gone" : "final_failed"), true);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.('[data-act="finish-dialog"]');
    if (button) open([{ id: button.dataset.id, key: button.dataset.key }], button);
  });
  studio.finish = { open };
})();
