import type { Format, Settings } from '../settings.ts';
import type { OutStream } from '../terminal.ts';
import { detailedText } from './detailed.ts';
import { createPaint, wantsColor } from './paint.ts';
import type { Paint } from './paint.ts';
import { tableText } from './table.ts';
import type { View } from './view.ts';

export interface OutputParts {
  stdout: OutStream;
  stderr: OutStream;
  settings: Pick<Settings, 'format' | 'zone'>;
  env: Record<string, string | undefined>;
  color: boolean;
  headers: boolean;
  quiet: boolean;
}

/** A page of a list, as the API answers it. */
export interface Page<Thing> {
  items: Thing[];
  total: number;
  page: number;
  pages: number;
}

/** Data to stdout in the format that was asked for, talk to stderr. */
export class Output {
  readonly quiet: boolean;
  /** False with --no-color. */
  readonly mayColor: boolean;
  readonly paint: Paint;
  readonly #parts: OutputParts;

  constructor(parts: OutputParts) {
    this.#parts = parts;
    this.quiet = parts.quiet;
    this.mayColor = parts.color;
    this.paint = createPaint(wantsColor(parts.stdout, parts.env, parts.color), parts.settings.zone);
  }

  get isJson(): boolean {
    return this.#parts.settings.format === 'json';
  }

  /** A list and where in it this page is. */
  page<Thing>(page: Page<Thing>, view: View<Thing>): void {
    this.list(page.items, view);
    if (page.pages <= 1 && page.items.length === page.total) return;
    const next = page.page < page.pages ? `; next: --page ${page.page + 1}` : '';
    this.say(`Page ${page.page} of ${page.pages}, ${page.total} ${view.noun} in all${next}`);
  }

  list<Thing>(things: Thing[], view: View<Thing>): void {
    if (this.quiet && !this.isJson) this.keys(things, view);
    else if (this.isJson) this.json(things);
    else if (things.length === 0) this.say(`No ${view.noun}`);
    else this.#list(things, view, this.#parts.settings.format ?? 'table');
  }

  one<Thing>(thing: Thing, view: View<Thing>): void {
    if (this.isJson) this.json(thing);
    else if (this.quiet) this.keys([thing], view);
    else this.#one(thing, view, this.#parts.settings.format ?? 'detailed');
  }

  keys<Thing>(things: Thing[], view: View<Thing>): void {
    for (const thing of things) this.#parts.stdout.write(`${view.key(thing)}\n`);
  }

  json(value: unknown): void {
    this.#parts.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
  }

  /** One JSON value on one line, for streams. */
  jsonLine(value: unknown): void {
    this.#parts.stdout.write(`${JSON.stringify(value)}\n`);
  }

  data(text: string): void {
    this.#parts.stdout.write(text);
  }

  /** For people, on stderr; nothing with -q. */
  say(text: string): void {
    if (!this.quiet) this.#parts.stderr.write(`${text}\n`);
  }

  /** For people, on stderr, even with -q. */
  warn(text: string): void {
    this.#parts.stderr.write(`muster: ${text}\n`);
  }

  #list<Thing>(things: Thing[], view: View<Thing>, format: Format): void {
    if (format === 'detailed') {
      this.data(things.map((thing) => detailedText(view.fields(thing, this.paint))).join('\n'));
      return;
    }
    const rows = things.map((thing) => view.columns.map(({ value }) => value(thing, this.paint)));
    const head = this.#parts.headers ? view.columns.map((column) => column.head) : undefined;
    this.data(tableText({ head, rows, borders: format === 'table' }));
  }

  #one<Thing>(thing: Thing, view: View<Thing>, format: Format): void {
    const fields = view.fields(thing, this.paint);
    if (format === 'detailed') {
      this.data(detailedText(fields));
      return;
    }
    const rows = fields.filter(([, value]) => value !== null && value !== undefined && value !== '');
    const head = this.#parts.headers ? ['FIELD', 'VALUE'] : undefined;
    this.data(tableText({ head, rows, borders: format === 'table' }));
  }
}
