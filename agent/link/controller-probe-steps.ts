import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { LookupAddress } from 'node:dns';
import { httpRequest } from '../../shared/node/http.ts';
import { probePath, ProbeAnswer } from '../../shared/protocol/transfer.ts';
import type { ControllerClock } from './controller-clock.ts';
import { readRefusal } from './refusal.ts';
import { readBounded, requireType } from './transfers-exchange.ts';

const maxAnswerBytes = 64 * 1024;

/** Name look-ups, one at a time: one that hangs holds a thread that the files of the transaction need too. */
export class LookUps {
  #hanging: Promise<unknown> | undefined;

  async find(host: string, signal: AbortSignal): Promise<LookupAddress[]> {
    if (this.#hanging) await untilAborted(this.#hanging, signal);
    const asked = lookup(host, { all: true });
    const settled = asked.catch(() => undefined);
    this.#hanging = settled;
    void settled.then(() => {
      if (this.#hanging === settled) this.#hanging = undefined;
    });
    return await untilAborted(asked, signal);
  }
}

/** A new connection to one of the addresses, IPv6 and IPv4 side by side. */
export async function connectOnce(
  { host, addresses, port }: { host: string; addresses: LookupAddress[]; port: number },
  signal: AbortSignal,
): Promise<{ socket: Socket } & Disposable> {
  const socket = connect({
    host,
    port,
    signal,
    autoSelectFamily: true,
    lookup: (_host, options, told) => {
      if (options.all) told(null, addresses);
      else told(null, addresses[0]?.address ?? '', addresses[0]?.family);
    },
  });
  const opened = { socket, [Symbol.dispose]: () => void socket.destroy() };
  socket.on('error', () => undefined); // what happens later is told by whoever reads
  try {
    await once(socket, 'connect', { signal });
    return opened;
  } catch (error) {
    opened[Symbol.dispose]();
    throw error;
  }
}

/** TLS without a session of before; `ca` is whom to trust, as PEM. */
export async function secureOnce(
  socket: Socket,
  { host, ca }: { host: string; ca: string[] },
  signal: AbortSignal,
): Promise<Socket> {
  const secured = connectTls({ socket, host, ca, servername: isName(host) ? host : '' });
  secured.on('error', () => undefined);
  await once(secured, 'secureConnect', { signal });
  return secured;
}

export interface ProbeQuestion {
  url: string;
  socket: Socket;
  token: string;
  controllerClock: ControllerClock;
  body: { transaction: string; nonce: string; padding: string };
}

/** One request over this connection, and no other. */
export async function askOnce(question: ProbeQuestion, signal: AbortSignal): Promise<ProbeAnswer> {
  const body = JSON.stringify(question.body);
  const request = httpRequest({
    method: 'POST',
    path: probePath,
    createConnection: () => question.socket,
    signal,
    headers: {
      host: new URL(question.url).host,
      authorization: `Bearer ${question.token}`,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      'accept-encoding': 'identity',
      connection: 'close',
    },
  });
  request.end(body);
  const [response] = (await once(request, 'response', { signal })) as [IncomingMessage];
  request.on('error', () => undefined);
  if (response.statusCode !== 200) {
    const refusal = await readRefusal(response);
    if (refusal.controllerTime !== undefined) question.controllerClock.learn(refusal.controllerTime);
    throw refusal;
  }
  requireType(response, 'application/json');
  return ProbeAnswer.parse(
    JSON.parse((await readBounded(response, maxAnswerBytes, signal)).toString('utf8')),
  );
}

const isName = (host: string): boolean => !/^[\d.]+$/.test(host) && !host.includes(':');

function untilAborted<Value>(work: Promise<Value>, signal: AbortSignal): Promise<Value> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
