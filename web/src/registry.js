// Registries: the choices of one kind, as fieldlr's own registries have them.
//
// An entry has the name and the number of its counterpart in Python, and its options in the order
// of the file: [name, type], a type being "whole", "switch" or "decimal".

import { broken } from "./bytes.js";

export class Registry {
  constructor(noun, ...entries) {
    this.noun = noun;
    this.entries = entries;
  }

  numbered(number) {
    const entry = this.entries.find((one) => one.number === number);
    if (entry) return entry;
    throw new Error(
      `this .flr file names ${this.noun} number ${number}, which this viewer does not have. ` +
        "Create the page with a newer fieldlr.",
    );
  }
}

const MOST_OPTION = 4096;

/** The options of an entry, {name: value}, read from the head. */
export function readOptions(reader, entry) {
  const options = {};
  for (const [name, type] of entry.options) {
    const value = type === "decimal" ? reader.decimal() : reader.whole();
    if (type !== "decimal" && value > MOST_OPTION) {
      throw broken(`an option of its network is ${value}, above ${MOST_OPTION}`);
    }
    options[name] = type === "switch" ? value > 0 : value;
  }
  const complaint = entry.complaint?.(options);
  if (complaint) throw broken(complaint);
  return options;
}
