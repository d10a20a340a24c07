type Inputs = Record<string, unknown>;

/** Those that are not what they were; inputs that a re-run is not given stay as they were. */
export function changedInputs(before: Inputs, after: Inputs): Inputs {
  return Object.fromEntries(
    Object.entries(after).filter(
      ([name, value]) => !(name in before) || JSON.stringify(before[name]) !== JSON.stringify(value),
    ),
  );
}
