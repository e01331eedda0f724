import type { HandlerContext } from '../handlers/handler.ts';
import { badOutput, type PluginLine, PluginLines, readPluginLine } from './plugin-line.ts';

interface TalkParts extends Pick<HandlerContext, 'clock' | 'progress' | 'ask'> {
  log(text: string): void;
  say(line: { answer: string }): void;
  /** It is pointless to go on. */
  fail(reason: unknown): void;
  /** It said its last. */
  ended(): void;
}

type Last = Extract<PluginLine, { kind: 'result' | 'error' }>;
type Question = Extract<PluginLine, { kind: 'question' }>['value'];

/** What comes faster is left out. */
const progressEveryMs = 200;

/** One conversation with the program of a plugin. What it must not say is thrown, and ends it. */
export class PluginTalk {
  readonly #parts: TalkParts;
  readonly #lines = new PluginLines((line) => this.#hear(line));
  readonly #withdrawn = new AbortController();
  #isAsking = false;
  #progressAt: number | undefined;
  #last: Last | undefined;

  constructor(parts: TalkParts) {
    this.#parts = parts;
  }

  /** Result or error, once it was said. */
  get last(): Last | undefined {
    return this.#last;
  }

  hear(text: string): void {
    this.#lines.push(text);
  }

  /** No more will come. */
  end(): void {
    this.#lines.end();
  }

  /** Withdraws what it still asks. */
  close(): void {
    this.#withdrawn.abort(new Error('the program ended'));
  }

  #hear(text: string): void {
    if (this.#last) throw badOutput('said more after its last line');
    const line = readPluginLine(text);
    switch (line.kind) {
      case 'log':
        return this.#parts.log(line.value);
      case 'progress':
        return this.#progress(line.value);
      case 'question':
        return this.#ask(line.value);
      default:
        this.#last = line;
        this.#parts.ended();
    }
  }

  #progress({ percent, message }: Extract<PluginLine, { kind: 'progress' }>['value']): void {
    const now = this.#parts.clock.monotonic();
    if (this.#progressAt !== undefined && now - this.#progressAt < progressEveryMs) return;
    this.#progressAt = now;
    this.#parts.progress({
      ...(percent === undefined ? {} : { percent }),
      ...(message === undefined ? {} : { message }),
    });
  }

  #ask({ prompt, options, safe, deadline_ms: deadlineMs }: Question): void {
    if (this.#isAsking) throw badOutput('asked again before it was answered');
    this.#isAsking = true;
    this.#parts.ask({ prompt, options, safe, deadlineMs }, this.#withdrawn.signal).then(
      (answer) => {
        this.#isAsking = false;
        this.#parts.say({ answer });
      },
      (error: unknown) => this.#parts.fail(error),
    );
  }
}
