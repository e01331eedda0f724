import { detailedText } from './detailed.ts';
import type { Output } from './output.ts';
import type { View } from './view.ts';

/** A secret that is shown only once: on stdout alone, so that it can be piped; what it is goes to stderr. */
export function showSecret<Thing>(
  output: Output,
  thing: Thing & ({ token: string } | { secret: string }),
  view: View<Thing>,
): void {
  if (output.isJson) {
    output.json(thing);
    return;
  }
  const [word, text] = 'token' in thing ? ['token', thing.token] : ['secret', thing.secret];
  output.say(`${detailedText(view.fields(thing, output.paint))}The ${word} is shown only now:`);
  output.data(`${text}\n`);
}
