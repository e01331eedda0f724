import { WebSocket } from 'ws';
import { TaskError } from '../../shared/errors.ts';
import { type Channel, openChannel } from './channel.ts';
import { HelperAnswer, type HelperRequest, maxMessageBytes } from './messages.ts';

/**
 * systemd holds the connection while it starts the helper, and right after a boot a slow machine takes long for that. An agent that did not
 * wait would give up what the helper did before the boot: a REBOOT would end as interrupted.
 */
const connectMs = 45_000;
const describeMs = 30_000;

/** What the root helper of this machine does. Rejects when there is none. */
export async function describeHelper(
  path: string,
): Promise<{ taskTypes: string[]; facts: Record<string, unknown> }> {
  const { taskTypes, facts } = await askAtOnce(path, { type: 'describe' }, 'described');
  return { taskTypes, facts };
}

/** The helper signs its requests to the controller with this key (PEM) from now on. Rejects when it is not there, or does not take it. */
export async function giveDeviceKey(path: string, key: string): Promise<void> {
  await askAtOnce(path, { type: 'device_key', key }, 'taken');
}

/** A question that the helper answers at once. */
async function askAtOnce<Type extends HelperAnswer['type']>(
  path: string,
  request: HelperRequest,
  expected: Type,
): Promise<Extract<HelperAnswer, { type: Type }>> {
  type Expected = Extract<HelperAnswer, { type: Type }>;
  const answer = Promise.withResolvers<Expected>();
  const channel = await openHelper(path, {
    message: (message) => {
      if (message.type === expected) answer.resolve(message as Expected);
    },
    closed: (reason) => answer.reject(lost(reason)),
  });
  const late = setTimeout(() => answer.reject(lost(`no answer within ${describeMs / 1000} s`)), describeMs);
  try {
    channel.send(request);
    return await answer.promise;
  } finally {
    clearTimeout(late);
    channel.close();
  }
}

/** The helper was not there, or went away. */
export const lost = (reason: string): TaskError =>
  new TaskError('helper_lost', `The root helper of this device is not there: ${reason}`);

/** A mask keeps proxies between two machines from being confused; here there are none, and it would cost a look at every byte. */
const noMask = (mask: Buffer): void => void mask.fill(0);

/** Settles when the connection stands. */
export async function openHelper(
  path: string,
  listener: { message(message: HelperAnswer): void; closed(reason: string): void },
): Promise<Channel<HelperRequest>> {
  const ws = new WebSocket(`ws+unix:${path}:/`, {
    maxPayload: maxMessageBytes,
    perMessageDeflate: false,
    handshakeTimeout: connectMs,
    generateMask: noMask,
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let isOpen = false;
  ws.once('open', () => {
    isOpen = true;
    resolve();
  });
  const channel = openChannel<HelperRequest, typeof HelperAnswer>(ws, HelperAnswer, {
    message: listener.message,
    closed: (reason) => (isOpen ? listener.closed(reason) : reject(lost(reason))),
  });
  await promise;
  return channel;
}
