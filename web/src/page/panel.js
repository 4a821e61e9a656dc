// What the views of a page share: its elements, buttons and facts.

export const find = (selector) => document.querySelector(selector);

/** Four digits at most, without trailing zeros. */
export const figure = (x) => Number(x.toPrecision(4)).toLocaleString("en", { maximumSignificantDigits: 4 });

/** Whether the app shows this page in a frame of its own. */
export const isInApp = () => document.documentElement.dataset.served !== undefined;

export const isPressed = (selector) => find(selector).ariaPressed === "true";

export function press(button, act) {
  const isOn = button.getAttribute("aria-pressed") !== "true";
  button.setAttribute("aria-pressed", isOn);
  act(isOn);
}

/** Shows {name: value} in the panel. */
export function facts(entries) {
  find("dl").replaceChildren(
    ...Object.entries(entries).flatMap(([name, value]) => {
      const [dt, dd] = ["dt", "dd"].map((tag) => document.createElement(tag));
      dt.textContent = name;
      dd.textContent = value;
      return [dt, dd];
    }),
  );
}
