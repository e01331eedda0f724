import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  id: string;
  timestamp: number;
  signatures: string[];
  /** As it came. */
  text: string;
  body: { type: string; timestamp: string; data: Record<string, unknown> };
}

/** A receiver of webhooks over real HTTP. Every message is kept; what is answered is the test's. */
export class WebhookReceiver implements AsyncDisposable {
  readonly received: Received[] = [];
  /** Answers that did not end yet. */
  readonly open = new Set<ServerResponse>();
  answer: (response: ServerResponse, message: Received) => void = (response) => void response.end();
  readonly #server: Server;

  private constructor() {
    this.#server = createServer((request, response) => {
      const parts: Buffer[] = [];
      this.open.add(response);
      response.on('close', () => this.open.delete(response));
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const text = Buffer.concat(parts).toString();
        const message = {
          id: String(request.headers['webhook-id']),
          timestamp: Number(request.headers['webhook-timestamp']),
          signatures: String(request.headers['webhook-signature']).split(' '),
          text,
          body: JSON.parse(text) as Received['body'],
        };
        this.received.push(message);
        this.answer(response, message);
      });
    });
  }

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/hook`;
  }

  get types(): string[] {
    return this.received.map(({ body }) => body.type);
  }

  /** Answers with a status and nothing else from now on. */
  answers(status: number, headers: Record<string, string> = {}): void {
    this.answer = (response) => void response.writeHead(status, headers).end('no');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

/** Whether a message was signed with the secret, computed as a receiver does. */
export function isSigned({ id, timestamp, text, signatures }: Received, secret: string): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = createHmac('sha256', key).update(`${id}.${timestamp}.${text}`).digest('base64');
  return signatures.includes(`v1,${expected}`);
}
