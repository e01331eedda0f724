import type { Unit } from './device-profile.ts';
import { hideDetected, openBlockAt, suspiciousLine } from './view-detectors.ts';
import type { SecretToken } from './view-hide.ts';
import { applyToLines } from './view-rules.ts';

/**
 * A text on its way into a view, in pieces of any length. Whatever way it is cut, what comes out is the same.
 *
 * - Rules and most detectors look at one line. What is kept from piece to piece is a line without its end, and a PEM block without its end.
 * - What came out before a doubtful line came must not be shown either: whoever writes it takes it back once `withheld` is set.
 */
export class ViewInPieces {
  readonly #unit: Pick<Unit, 'volatile' | 'secrets' | 'public'>;
  readonly #token: SecretToken;
  /** The beginning of a line. */
  #line: string[] = [];
  /** Lines with a block whose end has not come. */
  #block: string[] = [];
  #shownLines = 0;
  #withheld: string | undefined;

  constructor(unit: Pick<Unit, 'volatile' | 'secrets' | 'public'>, token: SecretToken) {
    this.#unit = unit;
    this.#token = token;
  }

  /** Why nothing of it may be shown. */
  get withheld(): string | undefined {
    return this.#withheld;
  }

  /** What follows in the view. */
  add(piece: string): string {
    if (this.#withheld !== undefined) return '';
    const end = piece.lastIndexOf('\n');
    if (end < 0) {
      this.#line.push(piece);
      return '';
    }
    const whole = this.#line.join('') + piece.slice(0, end);
    this.#line = [piece.slice(end + 1)];
    return this.#show(this.#closed(this.#afterRules(whole)));
  }

  /** The last of the view. */
  end(): string {
    if (this.#withheld !== undefined) return '';
    const last = this.#afterRules(this.#line.join(''));
    const text = [...this.#block, ...last];
    return this.#show(text.length === 0 ? undefined : text.join('\n'));
  }

  /** Nothing, or one text of whole lines. */
  #afterRules(text: string): string[] {
    const { volatile, secrets } = this.#unit;
    const steady = applyToLines(text.split('\n'), volatile, this.#token, '<volatile>');
    const lines = applyToLines(steady, secrets, this.#token);
    return lines.length === 0 ? [] : [lines.join('\n')];
  }

  /** Lines without the beginning of a block whose end has not come. */
  #closed([text]: string[]): string | undefined {
    if (text === undefined) return undefined;
    const open = openBlockAt(text, this.#block.length > 0);
    if (open === undefined) {
      const whole = [...this.#block, text].join('\n');
      this.#block = [];
      return whole;
    }
    const cut = text.lastIndexOf('\n', open.at);
    if (cut < open.closedBefore) {
      this.#block.push(text);
      return undefined;
    }
    const whole = [...this.#block, text.slice(0, cut)].join('\n');
    this.#block = [text.slice(cut + 1)];
    return whole;
  }

  #show(text: string | undefined): string {
    if (text === undefined) return '';
    const hidden = hideDetected(text, this.#token);
    const before = this.#shownLines;
    const line = suspiciousLine(hidden, this.#unit.public);
    if (line !== undefined) {
      this.#withheld = `line ${before + line} of the view holds what looks like a secret and no rule names it`;
      this.#line = [];
      this.#block = [];
      return '';
    }
    this.#shownLines += hidden.split('\n').length;
    return before === 0 ? hidden : `\n${hidden}`;
  }
}

/** A text as people, diff and search may see it; or why it is withheld, because it is not surely free of secrets. */
export function viewOf(
  text: string,
  unit: Pick<Unit, 'volatile' | 'secrets' | 'public'>,
  token: SecretToken,
): { text: string } | { withheld: string } {
  const view = new ViewInPieces(unit, token);
  const shown = view.add(text) + view.end();
  return view.withheld === undefined ? { text: shown } : { withheld: view.withheld };
}
