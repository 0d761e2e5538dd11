"use strict";
// Show the values of a chart at the position of the pointer, which the arrow keys move as well.
for (const figure of document.querySelectorAll("figure[data-points]")) {
  const points = JSON.parse(figure.dataset.points);
  const svg = figure.querySelector("svg");
  if (!points.length) continue;
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  const hair = document.createElementNS("http://www.w3.org/2000/svg", "line");
  const tooltip = document.createElement("div");
  let at = -1;
  hair.setAttribute("class", "hair");
  hair.setAttribute("y1", 14);
  hair.setAttribute("y2", height - 44);
  tooltip.className = "tooltip";
  tooltip.setAttribute("role", "status");
  svg.setAttribute("tabindex", "0");

  const show = (i) => {
    at = Math.max(0, Math.min(points.length - 1, i));
    const [x, name, values] = points[at];
    hair.setAttribute("x1", x);
    hair.setAttribute("x2", x);
    svg.append(hair);
    tooltip.replaceChildren();
    for (const line of [`${figure.dataset.x} ${name}`, ...values]) {
      const row = document.createElement("div");
      row.textContent = line;
      tooltip.append(row);
    }
    figure.append(tooltip);
    const scale = svg.clientWidth / width;
    const place = svg.getBoundingClientRect().left - figure.getBoundingClientRect().left + x * scale;
    const before = x > width * 0.6;
    tooltip.style.left = before ? "auto" : `${place + 12}px`;
    tooltip.style.right = before ? `${figure.clientWidth - place + 12}px` : "auto";
    tooltip.style.top = `${svg.getBoundingClientRect().top - figure.getBoundingClientRect().top + 24}px`;
  };
  const hide = () => { hair.remove(); tooltip.remove(); at = -1; };

  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * width;
    let nearest = 0;
    points.forEach(([position], i) => {
      if (Math.abs(position - x) < Math.abs(points[nearest][0] - x)) nearest = i;
    });
    show(nearest);
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) { show(at + step); event.preventDefault(); }
    if (event.key === "Escape") hide();
  });
}
