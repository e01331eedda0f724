import { existsSync, renameSync } from 'node:fs';
import { ErrorBody } from '../shared/api/common.ts';
import type { Clock, Instant, Random } from '../shared/clock.ts';
import {
  generateKeyPair,
  importPublicKey,
  type KeyPair,
  keyFingerprint,
  verifyText,
} from '../shared/node/keys.ts';
import {
  EnrolAnswer,
  EnrolmentTicket,
  type EnrolRequest,
  EnrolStatement,
  ticketPrefix,
} from '../shared/protocol/enrol.ts';
import { CommandError, exitCodes } from './command-error.ts';
import type { DataFolder } from './data-folder.ts';
import {
  controllerKeysOf,
  type Identity,
  readIdentity,
  readKeys,
  saveIdentity,
  saveKeys,
} from './identity.ts';
import { lockInstance } from './store/instance-lock.ts';
import { sayClock } from './link/certificate-time.ts';
import { moveAside } from './store/open-database.ts';
import { version } from './version.ts';

export interface EnrolOptions {
  folder: DataFolder;
  /** The text the operator carried here. */
  ticket: string;
  /** Instead of the address in the ticket. */
  url: string | undefined;
  name: string;
  /** Leaves the controller it is enrolled with. */
  force: boolean;
  clock: Clock;
  random: Random;
  timeoutMs?: number;
}

export interface Enrolment {
  identity: Identity;
  fingerprint: string;
  /** How the controller sees the device; `already` when nothing had to be done. */
  status: EnrolAnswer['status'] | 'already';
}

/**
 * Makes this device known to a controller and pins the controller's key. Nothing is trusted on first use: the answer must be signed by
 * the key whose fingerprint the ticket names. Doing it again for the same controller changes nothing.
 */
export async function enrol(options: EnrolOptions): Promise<Enrolment> {
  const { folder, force, clock } = options;
  const ticket = parseTicket(options.ticket);
  const url = options.url ?? ticket.url;
  folder.create();

  const known = readIdentity(folder);
  if (known && !force) return keep(folder, known, ticket, url);

  // A key that the old controller knows is not shown to the new one; until that one has answered, nothing is given up.
  const keys = known ? generateKeyPair() : (readKeys(folder) ?? saveKeys(folder, generateKeyPair()));
  const answer = await ask({ ...options, url, secret: ticket.secret }, keys);
  requireSameController(ticket.fingerprint, answer.controllerKey, url);
  answer.verify();
  if (known) {
    leave(folder, clock.now());
    saveKeys(folder, keys);
  }
  const identity: Identity = {
    ...answer.statement,
    controller_key: answer.controllerKey,
    controller_url: url,
    key_changes: [],
    enrolled_at: new Date(clock.now()).toISOString(),
  };
  saveIdentity(folder, identity);
  return { identity, fingerprint: keyFingerprint(keys.publicKey), status: answer.status };
}

export function parseTicket(text: string): EnrolmentTicket {
  const trimmed = text.trim();
  if (!trimmed.startsWith(ticketPrefix)) {
    throw new CommandError(
      `That is not an enrolment token: it begins with ${ticketPrefix} (made by \`muster-controller init\` or \`muster enrolment-token create\`)`,
      exitCodes.usage,
    );
  }
  try {
    const json = Buffer.from(trimmed.slice(ticketPrefix.length), 'base64url').toString('utf8');
    return EnrolmentTicket.parse(JSON.parse(json));
  } catch {
    throw new CommandError('The enrolment token is damaged: copy all of it', exitCodes.usage);
  }
}

/** Enrolled before: with this controller that is fine, also under a new address; with another one it is not. */
function keep(folder: DataFolder, known: Identity, ticket: EnrolmentTicket, url: string): Enrolment {
  const pinned = keyFingerprint(known.controller_key);
  const newest = controllerKeysOf(known, { now: () => 0 }).known.controllerKey;
  if (![pinned, newest].includes(ticket.fingerprint)) {
    throw new CommandError(
      `This device is enrolled with another controller: ${known.controller_url}, key ${newest}; the token is for ${url}, key ${ticket.fingerprint}. ` +
        'To leave the old one, repeat with --force',
      exitCodes.conflict,
    );
  }
  const keys = readKeys(folder);
  if (!keys) {
    throw new CommandError(`The key ${folder.key} is gone: enrol anew with --force`, exitCodes.conflict);
  }
  const identity = { ...known, controller_url: url };
  if (url !== known.controller_url) saveIdentity(folder, identity);
  return { identity, fingerprint: keyFingerprint(keys.publicKey), status: 'already' };
}

/** Everything that belongs to the old controller is moved aside: its orders, the reports for it, and the key it knows. */
function leave(folder: DataFolder, now: number): void {
  using lock = lockInstance(folder.lock, 1_000);
  if (!lock) throw new CommandError('The agent of this device runs: stop it before it leaves its controller');
  const suffix = new Date(now).toISOString().replaceAll(/[:.]/g, '-');
  moveAside(folder.database, now);
  for (const path of [folder.key, folder.nextKey, folder.identity, folder.status]) {
    if (existsSync(path)) renameSync(path, `${path}.${suffix}`);
  }
}

interface Asking extends EnrolOptions {
  url: string;
  secret: string;
}

async function ask({ url, secret, name, random, clock, timeoutMs = 20_000 }: Asking, keys: KeyPair) {
  const nonce = random.uuid();
  const request: EnrolRequest = {
    secret,
    name,
    public_key: keys.publicKey,
    nonce,
    agent_version: version,
  };
  const response = await post(new URL('/api/v1/enrol', url), request, { timeoutMs, clock });
  const answer = EnrolAnswer.safeParse(response.body);
  if (!answer.success) throw refusal(url, response);

  const { statement: text, signature, controller_key: controllerKey, status } = answer.data;
  const statement = EnrolStatement.safeParse(jsonOf(text));
  if (!statement.success) throw new CommandError(`${url} answered with a statement that is not understood`);
  const { nonce: repeated, public_key: confirmed, ...identity } = statement.data;
  return {
    status,
    controllerKey,
    statement: identity,
    verify(): void {
      const isSigned = verifyText(text, signature, importPublicKey(controllerKey));
      if (isSigned && repeated === nonce && confirmed === keys.publicKey) return;
      throw new CommandError(`The answer of ${url} is not signed for this request: it was not trusted`);
    },
  };
}

interface Answered {
  status: number;
  body: unknown;
}

async function post(
  target: URL,
  body: unknown,
  { timeoutMs, clock }: { timeoutMs: number; clock: Clock },
): Promise<Answered> {
  try {
    const response = await fetch(target, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutMs),
    });
    return { status: response.status, body: jsonOf(await response.text()) };
  } catch (error) {
    throw new CommandError(
      `The controller at ${target.origin} cannot be reached: ${reasonOf(error, clock.now())}`,
      exitCodes.unreachable,
    );
  }
}

function refusal(url: string, { status, body }: Answered): CommandError {
  const error = ErrorBody.partial({ request_id: true }).safeParse(body);
  if (!error.success) {
    return new CommandError(
      `${url} answered HTTP ${status} and is no Muster controller`,
      exitCodes.unreachable,
    );
  }
  const code = status === 401 || status === 403 ? exitCodes.forbidden : exitCodes.failed;
  return new CommandError(
    `The controller at ${url} refused: ${error.data.error} (${error.data.code})`,
    status === 409 ? exitCodes.conflict : code,
  );
}

function requireSameController(expected: string, controllerKey: string, url: string): void {
  const found = keyFingerprint(controllerKey);
  if (found === expected) return;
  throw new CommandError(
    `${url} is not the controller that the token names: its key has fingerprint ${found}, the token says ${expected}. Nothing was trusted`,
    exitCodes.forbidden,
  );
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** `fetch failed` alone helps nobody: the cause names host and port. */
function reasonOf(error: unknown, now: Instant): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError') return 'no answer in time';
  const { cause } = error;
  if (cause instanceof AggregateError) return cause.errors.map((one) => reasonOf(one, now)).join(', ');
  const said = cause instanceof Error && cause.message !== '' ? cause.message : error.message;
  return sayClock(cause, said, now);
}
