// What the pages do with scripts: listings side by side become tabs, quizzes are checked, the copy button of a console
// block gives its commands alone, and models run in frames. Without scripts all of it can be read as it stands.
"use strict";

// The language that was chosen last is shown on every page.
function tabs(box) {
  const parts = [];
  for (const child of [...box.children]) {
    const title = child.matches("p") && child.children.length === 1 && child.querySelector("strong");
    if (title && title.textContent === child.textContent) {
      const button = document.createElement("button");
      button.textContent = title.textContent;
      parts.push({ button, body: document.createElement("div") });
      child.remove();
    } else if (parts.length > 0) {
      parts[parts.length - 1].body.append(child);
    }
  }
  const bar = document.createElement("div");
  bar.className = "tab-bar";
  const show = (name) => {
    const known = parts.some(({ button }) => button.textContent === name) ? name : parts[0].button.textContent;
    for (const { button, body } of parts) {
      const chosen = button.textContent === known;
      button.setAttribute("aria-pressed", String(chosen));
      body.hidden = !chosen;
    }
  };
  for (const { button, body } of parts) {
    button.addEventListener("click", () => {
      localStorage.setItem("listing", button.textContent);
      document.dispatchEvent(new CustomEvent("listing"));
    });
    bar.append(button);
    box.append(body);
  }
  box.prepend(bar);
  const chosen = () => show(localStorage.getItem("listing"));
  document.addEventListener("listing", chosen);
  chosen();
}

function quiz(box) {
  for (const question of box.querySelectorAll(":scope > ol > li")) {
    const reason = question.querySelector("blockquote");
    if (reason) reason.hidden = true;
    for (const option of question.querySelectorAll("li")) {
      const mark = option.querySelector("input");
      const right = mark.checked;
      mark.remove();
      const button = document.createElement("button");
      button.append(...option.childNodes);
      option.append(button);
      button.addEventListener("click", () => {
        button.className = right ? "right" : "wrong";
        button.setAttribute("aria-label", `${button.textContent}: ${right ? "right" : "wrong"}`);
        if (right && reason) reason.hidden = false;
      });
    }
  }
}

// The button that mdBook adds copies prompts and output too, so another one takes its place.
function commandsAlone(code) {
  const old = code.closest("pre").querySelector(".clip-button");
  if (!old) return;
  const button = old.cloneNode(true);
  old.replaceWith(button);
  button.addEventListener("click", () => {
    const lines = code.textContent.split("\n").filter((line) => line.startsWith("$ "));
    navigator.clipboard.writeText(lines.map((line) => `${line.slice(2)}\n`).join(""));
    button.classList.add("copied");
    setTimeout(() => button.classList.remove("copied"), 1500);
  });
}

// Bars over a slider: the probabilities of the same logits at another temperature.
function temperature(figure) {
  const bars = [...figure.querySelectorAll("rect[data-logit]")];
  const label = document.createElement("label");
  const slider = document.createElement("input");
  Object.assign(slider, { type: "range", min: "0.1", max: "3", step: "0.1", value: "1" });
  const draw = () => {
    const weights = bars.map((bar) => Math.exp(Number(bar.dataset.logit) / Number(slider.value)));
    const sum = weights.reduce((total, weight) => total + weight, 0);
    bars.forEach((bar, index) => {
      bar.setAttribute("height", String((100 * weights[index]) / sum));
      bar.setAttribute("y", String(110 - (100 * weights[index]) / sum));
    });
    text.textContent = ` τ = ${Number(slider.value).toFixed(1)}, the likeliest ${(Math.max(...weights) / sum).toFixed(2)}`;
  };
  const text = document.createElement("span");
  label.append(slider, text);
  figure.prepend(label);
  slider.addEventListener("input", draw);
  draw();
}

// A link to a model becomes a frame that shows it, as high as its content and in the colors of the page.
const isDark = () => ["navy", "coal", "ayu"].some((name) => document.documentElement.classList.contains(name));
const frames = [];

function model(link) {
  const frame = document.createElement("iframe");
  const { href } = link;
  Object.assign(frame, { src: `${href}&theme=${isDark() ? "dark" : "light"}`, loading: "lazy", title: link.textContent });
  frame.setAttribute("sandbox", "allow-scripts");
  link.before(frame);
  frames.push(frame);
}

window.addEventListener("message", ({ source, data }) => {
  const frame = frames.find((one) => one.contentWindow === source);
  if (frame && Number.isFinite(data?.height)) frame.style.height = `${Math.min(data.height, 2000)}px`;
});

new MutationObserver(() => {
  const theme = isDark() ? "dark" : "light";
  for (const frame of frames) frame.contentWindow?.postMessage({ theme }, "*");
}).observe(document.documentElement, { attributeFilter: ["class"] });

document.querySelectorAll(".model a").forEach(model);
document.querySelectorAll(".temperature").forEach(temperature);
document.querySelectorAll(".tabs").forEach(tabs);
document.querySelectorAll(".quiz").forEach(quiz);
document.querySelectorAll("code.language-console").forEach(commandsAlone);
