/** How much output of one attempt is kept. Of more than that, the beginning and the last lines are, with a gap record between. */
export interface OutputBounds {
  maxLines: number;
  maxBytes: number;
  tailLines: number;
}

export const outputBounds: OutputBounds = {
  maxLines: 10_000,
  maxBytes: 4 * 1024 * 1024,
  tailLines: 200,
};

/** Of one line, as `task.log` allows: bytes of UTF-8, and so letters too. A longer line goes on in the next one. */
export const maxLineBytes = 16_384;
