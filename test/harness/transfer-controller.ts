import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { jwtVerify } from 'jose';
import { generateKeyPair, importPublicKey, type KeyPair, signText } from '../../shared/node/keys.ts';
import {
  type ArchiveAnswer,
  ArchiveReport,
  devicePath,
  ProbeRequest,
  PullReport,
  UploadComplete,
} from '../../shared/protocol/transfer.ts';
import { ArchiveStatement } from '../../shared/task-types/backup.ts';

/** Answers in the place of the honest controller; false lets that one answer. */
export type Fault = (request: IncomingMessage, response: ServerResponse, body: Buffer) => boolean;

/** The controller's side of transfers and probes for one device, honest and in memory. */
export class TransferController implements AsyncDisposable {
  readonly keys = generateKeyPair();
  readonly deviceKeys = generateKeyPair();
  readonly deviceId = 'device-1';
  readonly controllerId = 'controller-1';
  readonly blobs = new Map<string, Buffer>();
  readonly uploads = new Map<string, Buffer>();
  /** What was asked, as `METHOD path`. */
  readonly asked: string[] = [];
  readonly pulls: PullReport[] = [];
  readonly archives: ArchiveStatement[] = [];
  secrets = Buffer.alloc(0);
  maxUploadBytes = 1_000_000_000;
  fault: Fault = () => false;
  readonly #tokens = new Set<string>();
  /** Connections that were made so far. */
  connections = 0;
  readonly #server: Server;
  readonly #isSecure: boolean;

  private constructor(tls?: { cert: string; key: string }) {
    const serve = (request: IncomingMessage, response: ServerResponse) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (!response.headersSent) fail(response, 500, 'internal', String(error));
      });
    };
    this.#isSecure = tls !== undefined;
    this.#server = tls ? createTlsServer(tls, serve) : createServer(serve);
    this.#server.on('connection', () => (this.connections += 1));
  }

  /** With `tls`, at https://localhost. */
  static async start(tls?: { cert: string; key: string }): Promise<TransferController> {
    const controller = new TransferController(tls);
    controller.#server.listen(0, '127.0.0.1');
    await once(controller.#server, 'listening');
    return controller;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return this.#isSecure ? `https://localhost:${this.port}` : `http://127.0.0.1:${this.port}`;
  }

  keep(blob: Buffer): string {
    const sha256 = createHash('sha256').update(blob).digest('hex');
    this.blobs.set(sha256, blob);
    return sha256;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    if (this.#server.listening) await once(this.#server, 'close');
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    this.asked.push(`${request.method} ${request.url}`);
    await this.#requireToken(request);
    const { pathname } = new URL(request.url ?? '/', this.url);
    const upload = /\/uploads\/([a-z]+)(\/complete)?$/.exec(pathname);
    if (request.method === 'PATCH' && upload && !this.fault(request, response, Buffer.alloc(0))) {
      return await this.#append(upload[1] ?? '', request, response);
    }
    if (response.headersSent) return;
    const body = await buffer(request);
    if (request.method !== 'PATCH' && this.fault(request, response, body)) return;
    if (upload) this.#upload(upload[1] ?? '', upload[2] !== undefined, body, response);
    else if (pathname.includes('/blobs/')) this.#blob(pathname.split('/').at(-1) ?? '', request, response);
    else if (pathname.endsWith('/secrets')) octets(response, 200, this.secrets);
    else if (pathname === `${devicePath}/probe`) json(response, this.probeAnswer(body));
    else this.#report(pathname, body, response);
  }

  async #requireToken(request: IncomingMessage): Promise<void> {
    const token = (request.headers.authorization ?? '').replace('Bearer ', '');
    const { payload } = await jwtVerify(token, importPublicKey(this.deviceKeys.publicKey), {
      audience: this.controllerId,
      subject: this.deviceId,
    });
    if (payload.jti === undefined || this.#tokens.has(payload.jti)) throw new Error('token replayed');
    this.#tokens.add(payload.jti);
  }

  #blob(sha256: string, request: IncomingMessage, response: ServerResponse): void {
    const blob = this.blobs.get(sha256);
    if (!blob) return fail(response, 404, 'not_found', 'no such blob');
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` };
    octets(response, from > 0 ? 206 : 200, blob.subarray(from), from > 0 ? range : {});
  }

  async #append(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const there = this.uploads.get(name) ?? Buffer.alloc(0);
    if (Number(request.headers['upload-offset']) !== there.length) {
      await buffer(request);
      return fail(response, 409, 'conflict', `the upload ends at ${there.length}`);
    }
    const chunks = [there];
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
    } catch {
      return; // what came is kept: the connection broke
    } finally {
      this.uploads.set(name, Buffer.concat(chunks));
    }
    this.#upload(name, false, Buffer.alloc(0), response);
  }

  #upload(name: string, isComplete: boolean, body: Buffer, response: ServerResponse): void {
    const held = this.uploads.get(name) ?? Buffer.alloc(0);
    if (!isComplete) return json(response, { offset: held.length, max_bytes: this.maxUploadBytes });
    const { size, sha256 } = UploadComplete.parse(JSON.parse(body.toString()));
    const digest = createHash('sha256').update(held).digest('hex');
    if (size !== held.length || sha256 !== digest) {
      this.uploads.delete(name);
      return fail(response, 422, 'digest_mismatch', 'not what was announced');
    }
    this.keep(held);
    json(response, { size, sha256 });
  }

  /** What an honest controller answers to a probe. */
  probeAnswer(
    body: Buffer,
    over: Record<string, unknown> = {},
    signedBy: KeyPair = this.keys,
  ): { statement: string; signature: string; padding: string } {
    const { transaction, nonce, padding } = ProbeRequest.parse(JSON.parse(body.toString()));
    const statement = JSON.stringify({
      purpose: 'probe',
      device: this.deviceId,
      transaction,
      nonce,
      at: Date.now(),
      ...over,
    });
    return { statement, signature: signText(statement, signedBy.privateKey), padding };
  }

  #report(pathname: string, body: Buffer, response: ServerResponse): void {
    const value: unknown = JSON.parse(body.toString());
    if (pathname.endsWith('/pull')) {
      const report = PullReport.parse(value);
      const isNew = this.pulls.at(-1)?.view_sha256 !== report.view_sha256;
      this.pulls.push(report);
      const versions = new Set(this.pulls.filter(({ complete }) => complete).map((one) => one.view_sha256));
      const version = report.complete ? versions.size : null;
      return json(response, { version, changed: report.complete && isNew });
    }
    if (pathname.endsWith('/archive/readable')) return json(response, this.#archive('readable'));
    const { statement, outcome } = ArchiveReport.parse(value);
    if (outcome === 'stored') this.archives.push(ArchiveStatement.parse(JSON.parse(statement)));
    json(response, this.#archive('stored'));
  }

  #archive(level: 'stored' | 'readable'): ArchiveAnswer {
    const { archive_bytes: size = 0, archive_sha256: sha256 = '' } = this.archives.at(-1) ?? {};
    return { archive: `archive-${this.archives.length}`, size, sha256, level };
  }
}

export function fail(
  response: ServerResponse,
  status: number,
  code: string,
  error: string,
  detail?: object,
): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error, code, detail, request_id: 'r' }));
}

const json = (response: ServerResponse, value: unknown): void => {
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(value));
};

function octets(
  response: ServerResponse,
  status: number,
  body: Buffer,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, {
    'content-type': 'application/octet-stream',
    'content-length': body.length,
    ...headers,
  });
  response.end(body);
}
