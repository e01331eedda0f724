import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { SignJWT } from 'jose';
import { WebSocket } from 'ws';
import {
  EnrolAnswer,
  EnrolStatement,
  EnrolmentTicket,
  linkPath,
  ticketPrefix,
} from '../../shared/protocol/enrol.ts';
import { type KeyPair, generateKeyPair } from '../../shared/node/keys.ts';
import type { ErrorBody } from '../../shared/api/common.ts';

/** An enrolled device without an agent: for saying things no agent would say. */
export class RawDevice {
  readonly url: string;
  readonly id: string;
  readonly name: string;
  readonly controllerId: string;
  readonly keys: KeyPair;
  readonly storeId = randomUUID();

  private constructor(url: string, name: string, keys: KeyPair, statement: EnrolStatement) {
    this.url = url;
    this.name = name;
    this.keys = keys;
    this.id = statement.device_id;
    this.controllerId = statement.controller_id;
  }

  static async enrol(url: string, ticket: string, name: string): Promise<RawDevice> {
    const keys = generateKeyPair();
    const { secret } = EnrolmentTicket.parse(
      JSON.parse(Buffer.from(ticket.slice(ticketPrefix.length), 'base64url').toString()),
    );
    const response = await fetch(`${url}/api/v1/enrol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        secret,
        name,
        public_key: keys.publicKey,
        nonce: randomUUID(),
        agent_version: '0.0.0-raw',
      }),
    });
    if (!response.ok) throw new Error(`enrol → ${response.status} ${await response.text()}`);
    const { statement } = EnrolAnswer.parse(await response.json());
    return new RawDevice(url, name, keys, EnrolStatement.parse(JSON.parse(statement)));
  }

  /** A token as an agent makes it; `over` makes it wrong. */
  token(
    over: { key?: KeyPair; jti?: string; aud?: string; sub?: string; nowMs?: number; ttlMs?: number } = {},
  ) {
    const now = Math.floor((over.nowMs ?? Date.now()) / 1000);
    return new SignJWT()
      .setProtectedHeader({ alg: 'EdDSA' })
      .setAudience(over.aud ?? this.controllerId)
      .setSubject(over.sub ?? this.id)
      .setJti(over.jti ?? randomUUID())
      .setIssuedAt(now)
      .setExpirationTime(now + Math.round((over.ttlMs ?? 50_000) / 1000))
      .sign((over.key ?? this.keys).privateKey);
  }

  /** Opens a link; throws `UpgradeRefused` when the controller refuses it. */
  async dial(token?: string): Promise<RawLink> {
    const ws = new WebSocket(`${this.url.replace(/^http/, 'ws')}${linkPath}`, {
      headers: { authorization: `Bearer ${token ?? (await this.token())}` },
      perMessageDeflate: false,
    });
    const link = new RawLink(ws);
    const opened = Promise.withResolvers<void>();
    ws.on('open', opened.resolve);
    ws.on('error', opened.reject);
    ws.on('unexpected-response', (_request, response: IncomingMessage) => {
      readBody(response).then(
        (body) => opened.reject(new UpgradeRefused(response.statusCode ?? 0, body)),
        opened.reject,
      );
    });
    await opened.promise;
    return link;
  }

  hello(over: Record<string, unknown> = {}): Record<string, unknown> {
    return {
      type: 'hello',
      protocol: { min: 1, max: 1 },
      agentVersion: '0.0.0-raw',
      bootId: 'raw-boot',
      instanceId: 'raw-instance',
      epoch: 1,
      connection: 1,
      storeId: this.storeId,
      taskTypes: ['PING', 'SCRIPT'],
      slots: { exclusive: 1, script: 2, read: 4 },
      tasks: [],
      lastSeq: 0,
      clock: Date.now(),
      factsDigest: '',
      ...over,
    };
  }
}

export class UpgradeRefused extends Error {
  readonly status: number;
  readonly body: ErrorBody;

  constructor(status: number, body: string) {
    super(`${status} ${body}`);
    this.status = status;
    this.body = JSON.parse(body) as ErrorBody;
  }
}

/** A link on which a test says what it likes. */
export class RawLink implements AsyncDisposable {
  readonly #ws: WebSocket;
  readonly #frames: Record<string, unknown>[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  constructor(ws: WebSocket) {
    this.#ws = ws;
    ws.on('message', (data) => {
      this.#frames.push(JSON.parse((data as Buffer).toString()) as Record<string, unknown>);
      ws.emit('frame');
    });
    const { promise, resolve } = Promise.withResolvers<{ code: number; reason: string }>();
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    this.closed = promise;
  }

  send(frame: unknown): void {
    this.#ws.send(typeof frame === 'string' || Buffer.isBuffer(frame) ? frame : JSON.stringify(frame));
  }

  /** The next frame of this type; earlier ones of other types are passed over. */
  async next(type: string): Promise<Record<string, unknown>> {
    const signal = AbortSignal.timeout(10_000);
    for (;;) {
      const frame = this.#frames.shift();
      if (frame === undefined) await once(this.#ws, 'frame', { signal });
      else if (frame['type'] === type) return frame;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ws.terminate();
    await this.closed;
  }
}

async function readBody(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk as string;
  return text;
}
