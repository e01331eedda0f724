/** How much output of one task is kept whole on the device; what is dropped beyond it leaves a `task.gap`. */
export const outputBounds = {
  maxLines: 10_000,
  maxBytes: 4 * 1024 * 1024,
  /** Characters of one line, as `task.log` allows; a longer line goes on in the next one. */
  maxLineLength: 16_384,
} as const;
