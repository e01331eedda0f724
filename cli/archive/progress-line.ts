import { bytesText } from '../output/bytes.ts';
import type { Output } from '../output/output.ts';
import type { Terminal } from '../terminal.ts';

/** Between two drawings. */
const minGapMs = 200;

export interface ProgressLine {
  progress(bytes: number): void;
  trouble(message: string | undefined): void;
  end(): void;
}

/** How far a transfer is: one line that is redrawn on a terminal, and off one only what goes wrong. */
export function progressLine(
  { stderr, clock }: Pick<Terminal, 'stderr' | 'clock'>,
  output: Pick<Output, 'quiet' | 'isJson' | 'say'>,
  { what, size }: { what: string; size: number },
): ProgressLine {
  const live = stderr.isTTY === true && !output.quiet;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const clear = () => {
    if (live) stderr.write('\r\x1b[K');
  };
  return {
    progress(bytes) {
      if (!live || (clock.monotonic() - drawnAt < minGapMs && bytes < size)) return;
      drawnAt = clock.monotonic();
      const percent = size === 0 ? 100 : Math.floor((bytes / size) * 100);
      clear();
      stderr.write(`${what}: ${bytesText(bytes)} of ${bytesText(size)}  ${percent} %`);
    },
    trouble(message) {
      clear();
      if (message !== undefined && !output.isJson) output.say(`${message}; trying again`);
    },
    end: clear,
  };
}
