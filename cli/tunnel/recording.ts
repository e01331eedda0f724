import { CliError } from '../cli-error.ts';

/** One event of a recorded terminal: seconds since the start, kind, text. */
export type CastEvent = [seconds: number, kind: string, text: string];

/** A pause that nobody wants to sit through, in seconds. */
const longestPause = 3;

/** Reads asciicast v2. A line that was cut off at the end is left out. */
export function parseRecording(text: string): CastEvent[] {
  const [head = '', ...lines] = text.split('\n');
  if (!isHeader(head)) {
    throw new CliError('failed', 'the recording is not an asciicast of version 2', {
      code: 'not_a_recording',
    });
  }
  return lines.flatMap((line): CastEvent[] => {
    try {
      const event: unknown = JSON.parse(line);
      if (!Array.isArray(event)) return [];
      const [seconds, kind, data] = event as unknown[];
      return typeof seconds === 'number' && typeof kind === 'string' && typeof data === 'string'
        ? [[seconds, kind, data]]
        : [];
    } catch {
      return [];
    }
  });
}

function isHeader(line: string): boolean {
  try {
    const header: unknown = JSON.parse(line);
    return typeof header === 'object' && header !== null && 'version' in header && header.version === 2;
  } catch {
    return false;
  }
}

/** Writes the output as it came, pauses and all; long ones are cut short. */
export async function playRecording(
  events: CastEvent[],
  {
    speed,
    wait,
    write,
  }: { speed: number; wait: (ms: number) => Promise<void>; write: (text: string) => void },
): Promise<void> {
  let at = 0;
  for (const [seconds, kind, text] of events) {
    const pause = Math.min(longestPause, Math.max(0, seconds - at)) / speed;
    at = seconds;
    if (pause > 0.001) await wait(pause * 1000);
    if (kind === 'o') write(text);
  }
}
