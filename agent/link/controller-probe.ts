import { isIP } from 'node:net';
import type { Clock } from '../../shared/clock.ts';
import type { ControllerKeys } from '../../shared/node/controller-keys.ts';
import { type ProbeAnswer, probePaddingBytes, ProbeStatement } from '../../shared/protocol/transfer.ts';
import type { ProbeAttempt } from '../../shared/task-types/sync.ts';
import { askOnce, connectOnce, LookUps, secureOnce } from './controller-probe-steps.ts';
import { deviceToken, type DeviceTokenParts } from './device-token.ts';
import { trustNow } from './trust-now.ts';
import { sayClock } from './certificate-time.ts';
import { reasonOf } from './transfers-retries.ts';

export interface ControllerProbeParts extends DeviceTokenParts {
  /** Base URL of the controller. */
  url: string;
  controllerKeys: Pick<ControllerKeys, 'isSigned'>;
  clock: Clock;
}

type Phase = ProbeAttempt['phase'];

/**
 * Asks the controller over nothing that exists already. What an old connection still carries says nothing about new ones, and whoever
 * answers is the controller only if the answer is signed over this very question.
 */
export class HttpControllerProbe {
  readonly address: { host: string; port: number };
  readonly #parts: ControllerProbeParts;
  readonly #lookUps = new LookUps();

  constructor(parts: ControllerProbeParts) {
    const { protocol, hostname, port } = new URL(parts.url);
    this.#parts = parts;
    this.address = {
      host: hostname.replace(/^\[(.*)\]$/, '$1'),
      port: Number(port) || (protocol === 'https:' ? 443 : 80),
    };
  }

  async attempt(transaction: string, timeoutMs: number, signal: AbortSignal): Promise<ProbeAttempt> {
    signal.throwIfAborted();
    const { clock } = this.#parts;
    const [at, startedMs] = [clock.now(), clock.monotonic()];
    const over = new AbortController();
    const stopTimer = new AbortController();
    clock.sleep(timeoutMs, stopTimer.signal).then(
      () => over.abort(new Error(`no answer within ${timeoutMs} ms`)),
      () => undefined, // the attempt ended first
    );
    const until = AbortSignal.any([signal, over.signal]);
    const course: { phase: Phase } = { phase: 'dns' };
    const ended = (ok: boolean) => ({
      at,
      ok,
      phase: course.phase,
      duration_ms: Math.round(clock.monotonic() - startedMs),
    });
    try {
      await this.#ask(transaction, (phase) => (course.phase = phase), until);
      return ended(true);
    } catch (error) {
      signal.throwIfAborted();
      const why: unknown = until.aborted ? until.reason : error;
      return { ...ended(false), error: sayClock(why, reasonOf(why), clock.now()).slice(0, 300) };
    } finally {
      stopTimer.abort();
    }
  }

  async #ask(transaction: string, enter: (phase: Phase) => void, signal: AbortSignal): Promise<void> {
    const { url, random, controllerKeys, deviceId, controllerClock } = this.#parts;
    const { host, port } = this.address;
    const addresses = isIP(host)
      ? [{ address: host, family: isIP(host) }]
      : await this.#lookUps.find(host, signal);

    enter('tcp');
    using connection = await connectOnce({ host, addresses, port }, signal);
    let socket = connection.socket;
    if (new URL(url).protocol === 'https:') {
      enter('tls');
      socket = await secureOnce(socket, { host, ca: await trustNow(signal) }, signal);
    }
    enter('answer');
    const nonce = Buffer.from(random.bytes(24)).toString('base64url');
    // By chance, so that nothing on the way can make it short.
    const padding = Buffer.from(random.bytes((probePaddingBytes * 3) / 4)).toString('base64url');
    const token = await deviceToken(this.#parts);
    const body = { transaction, nonce, padding };
    const answer = await askOnce({ url, socket, token, controllerClock, body }, signal);

    enter('signature');
    requireOwnAnswer(answer, { transaction, nonce, device: deviceId }, controllerKeys);
    if (answer.padding !== padding) throw new Error('the answer does not bring back what was sent along');
    enter('done');
  }
}

/** Throws unless the controller itself signed exactly what was asked. */
function requireOwnAnswer(
  answer: ProbeAnswer,
  expected: { transaction: string; nonce: string; device: string },
  controllerKeys: Pick<ControllerKeys, 'isSigned'>,
): void {
  if (!controllerKeys.isSigned(answer.statement, answer.signature)) {
    throw new Error('the answer is not signed by the controller');
  }
  const statement = ProbeStatement.safeParse(JSON.parse(answer.statement));
  if (!statement.success) throw new Error('the signed answer is no answer to a probe');
  for (const key of ['device', 'transaction', 'nonce'] as const) {
    if (statement.data[key] !== expected[key]) {
      throw new Error(`the signed answer is for another ${key}`);
    }
  }
}
