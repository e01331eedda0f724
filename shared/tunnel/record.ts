import { maxRecordBytes, recordHeaderBytes, type RecordType, recordTypes } from './service.ts';

/** Bytes of one record, header and payload. Payloads longer than `maxRecordBytes` are several records. */
export function* recordBytes(type: RecordType, payload: Uint8Array): Generator<Uint8Array> {
  let at = 0;
  do {
    const part = payload.subarray(at, at + maxRecordBytes);
    const header = new Uint8Array(recordHeaderBytes);
    header[0] = recordTypes[type];
    new DataView(header.buffer).setUint32(1, part.length);
    yield header;
    if (part.length > 0) yield part;
    at += part.length;
  } while (at < payload.length);
}

const typeNames = new Map<number, RecordType>(
  (Object.keys(recordTypes) as RecordType[]).map((name) => [recordTypes[name], name]),
);

/** The bytes are no records of ours. */
export class RecordError extends Error {}

/** Cuts the bytes of a stream into records; holds at most one. */
export class RecordParser {
  readonly #onRecord: (type: RecordType, payload: Uint8Array) => void;
  readonly #header = new Uint8Array(recordHeaderBytes);
  #headerLength = 0;
  #payload: Uint8Array | undefined;
  #filled = 0;

  constructor(onRecord: (type: RecordType, payload: Uint8Array) => void) {
    this.#onRecord = onRecord;
  }

  /** Throws `RecordError`; nothing may be pushed after that. */
  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payload === undefined) {
        const count = Math.min(recordHeaderBytes - this.#headerLength, chunk.length - at);
        this.#header.set(chunk.subarray(at, at + count), this.#headerLength);
        this.#headerLength += count;
        at += count;
        if (this.#headerLength === recordHeaderBytes) this.#begin();
      } else {
        const count = Math.min(this.#payload.length - this.#filled, chunk.length - at);
        this.#payload.set(chunk.subarray(at, at + count), this.#filled);
        this.#filled += count;
        at += count;
        this.#deliver();
      }
    }
  }

  /** True between records: a stream that ends elsewhere was cut off. */
  get isBetween(): boolean {
    return this.#headerLength === 0;
  }

  #begin(): void {
    const length = new DataView(this.#header.buffer).getUint32(1);
    if (!typeNames.has(this.#header[0] ?? 0)) throw new RecordError(`unknown record type ${this.#header[0]}`);
    if (length > maxRecordBytes)
      throw new RecordError(`a record of ${length} bytes, expected at most ${maxRecordBytes}`);
    this.#payload = new Uint8Array(length);
    this.#filled = 0;
    this.#deliver();
  }

  #deliver(): void {
    const payload = this.#payload;
    const type = typeNames.get(this.#header[0] ?? 0);
    if (payload === undefined || type === undefined || this.#filled < payload.length) return;
    this.#payload = undefined;
    this.#headerLength = 0;
    this.#onRecord(type, payload);
  }
}
