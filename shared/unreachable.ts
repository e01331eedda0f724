/** Ends a `switch` over a union: the compiler refuses a missing case, and a bad cast is named at run time. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
