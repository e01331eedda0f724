/** Text of which the beginning and the end are kept, in characters; each counts as what it takes in UTF-8. */
export class BoundedText {
  readonly #maxBytes: number;
  #head = '';
  #headBytes = 0;
  #tail: { text: string; bytes: number }[] = [];
  #tailBytes = 0;
  #left = 0;

  /** `maxBytes` for all, with the sentence about what was left out. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes - 100;
  }

  add(text: string): void {
    for (const piece of piecesOf(text)) this.#addPiece(piece, this.#maxBytes / 2);
  }

  toString(): string {
    const tail = this.#tail.map(({ text }) => text).join('');
    return this.#left === 0
      ? this.#head + tail
      : `${this.#head}\n[... ${this.#left} bytes left out ...]\n${tail}`;
  }

  #addPiece(text: string, half: number): void {
    const bytes = Buffer.byteLength(text);
    if (this.#tail.length === 0 && this.#left === 0 && this.#headBytes + bytes <= half) {
      this.#head += text;
      this.#headBytes += bytes;
      return;
    }
    this.#tail.push({ text, bytes });
    this.#tailBytes += bytes;
    while (this.#tailBytes > half) {
      const [first] = this.#tail.splice(0, 1);
      this.#tailBytes -= first?.bytes ?? 0;
      this.#left += first?.bytes ?? 0;
    }
  }
}

/** Small enough that one more or less does not matter; never through the middle of a character. */
function* piecesOf(text: string): Generator<string> {
  const size = 1024;
  for (let start = 0; start < text.length; ) {
    const end = start + size;
    const whole = /[\uD800-\uDBFF]/.test(text[end - 1] ?? '') ? end + 1 : end;
    yield text.slice(start, whole);
    start = whole;
  }
}
