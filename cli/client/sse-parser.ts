/** One server-sent event; one without data only says where to resume. */
export interface ServerSentEvent {
  id: string;
  event: string;
  data: string;
}

const maxEventChars = 4 * 1024 * 1024;

/** Cuts a text stream of server-sent events into events; text may arrive split anywhere. */
export class SseParser {
  #rest = '';
  #id = '';
  #hasId = false;
  #event = '';
  #data: string[] = [];

  push(text: string): ServerSentEvent[] {
    this.#rest += text;
    if (this.#rest.length > maxEventChars) throw new Error('an event of the stream is too large');
    const events: ServerSentEvent[] = [];
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.#rest);
      if (end === null) return events;
      const event = this.#line(this.#rest.slice(0, end.index));
      this.#rest = this.#rest.slice(end.index + end[0].length);
      if (event !== undefined) events.push(event);
    }
  }

  #line(line: string): ServerSentEvent | undefined {
    if (line === '') return this.#dispatch();
    const colon = line.indexOf(':');
    if (colon === 0) return undefined;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'id') {
      this.#id = value;
      this.#hasId = true;
    }
    if (field === 'event') this.#event = value;
    if (field === 'data') this.#data.push(value);
    return undefined;
  }

  #dispatch(): ServerSentEvent | undefined {
    const event = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') };
    const isEmpty = this.#data.length === 0 && !this.#hasId;
    this.#event = '';
    this.#data = [];
    this.#hasId = false;
    return isEmpty ? undefined : event;
  }
}
